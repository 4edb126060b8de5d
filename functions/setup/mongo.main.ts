import { setUpMongo } from "./mongo.ts";
import { main } from "./run.ts";

void main(setUpMongo);
