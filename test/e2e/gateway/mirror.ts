import { handle } from "../../../functions/kit/handle.ts";
import { mirror } from "./contracts.ts";

export default handle(mirror, (_, __, { path, params, headers }) => ({ path, params, headers }));
