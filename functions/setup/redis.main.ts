import { setUpRedis } from "./redis.ts";
import { main } from "./run.ts";

void main(setUpRedis);
