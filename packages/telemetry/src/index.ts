export { createLogger, type Logger } from "./logger.ts";
export { isStrayGoodbye, surviveStrayGoodbyes } from "./stray-errors.ts";
