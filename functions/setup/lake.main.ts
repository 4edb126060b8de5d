import { setUpLake } from "./lake.ts";
import { main } from "./run.ts";

void main(setUpLake);
