export function writeSeeds() {}
