import { setUpMart } from "./mart.ts";
import { main } from "./run.ts";

void main(setUpMart);
