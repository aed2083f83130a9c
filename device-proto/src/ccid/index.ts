export * from "./descriptors.js";
export * from "./messages.js";
export * from "./pin-format.js";
export * from "./pin.js";
