// Loads one module and says what the whole process has cost by then.
await import(process.argv[2]);
const { user, system } = process.cpuUsage();
process.stdout.write(JSON.stringify({ cpuSeconds: (user + system) / 1e6 }));
