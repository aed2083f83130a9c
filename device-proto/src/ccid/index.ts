export * from "./descriptors.js";
export * from "./messages.js";
export * from "./pin.js";
