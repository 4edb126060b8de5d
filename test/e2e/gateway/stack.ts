/** A gateway with each kind of client, before one function on Fission and the same as a Deployment. */
import * as pulumi from "@pulumi/pulumi";
import { deployments, Faas, fission, Gateway, Namespace } from "../../../components/index.ts";
import { mirror, plain } from "./contracts.ts";

const namespace = new Namespace("gateway-test");
const mirrorFn = new Faas("functions", { namespace, provider: fission() }).fn(mirror);
const elsewhere = new Namespace("gateway-test-plain");
const plainFn = new Faas("services", { namespace: elsewhere, provider: deployments() }).fn(plain);

const gateway = new Gateway("api", { namespace });
const both = gateway.keys("shop", "kiosk");
const jwks = new pulumi.Config().require("jwks");
const bank = gateway.tokens({ issuer: "https://bank.test", audiences: ["api"], keys: { jwks } });

gateway.route("POST /shop", mirrorFn, { clients: gateway.keys("shop"), limit: "3 per hour", body: "1 KiB" });
gateway.route("GET /old/:kind/:id", mirrorFn, { clients: both, to: "/new/:id/of/:kind" });
gateway.route("GET /limited", mirrorFn, { clients: both, limit: "2 per hour" });
gateway.route("GET /bank", mirrorFn, { clients: bank });
gateway.route("GET /open", plainFn, { clients: "anyone" });

export const { url, ca } = gateway;
export const { keys } = both;
