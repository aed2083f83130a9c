export * from "./board.js";
export * from "./ccid/index.js";
export * from "./codec/index.js";
export * from "./link/index.js";
export * from "./product/index.js";
export * from "./service/index.js";
export * from "./status.js";
export * from "./words.js";
