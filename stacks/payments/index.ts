/**
 * Payments and risk: one decision per payment, whatever happens.
 *
 *   terminal, shop, wallet ─▶ gateway ─▶ parse ─▶ assess ─▶ payments ─approved─▶ approve ─▶ transactions, confirmations
 *                                                   │  ▲       ├────declined──▶ alert ───▶ alerts
 *                                                   ▼  │       └────held──────▶ resume ──▶ payments
 *                                                  fraud
 */
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  deployments,
  elsewhere,
  Faas,
  fission,
  Gateway,
  given,
  look,
  Mongo,
  Namespace,
  Redis,
  Verifier,
} from "../../components/index.ts";
import { alert, approve, assess, fraud, parse, resume } from "../../functions/payments/contracts.ts";
import { Alert, Confirmation, FrontEnd, Payment, Transaction } from "../../functions/payments/events.ts";

const config = new pulumi.Config();

// Where it runs
const namespace = new Namespace(pulumi.getStack());

// What holds data
const payments = new Redis("grid", { namespace, replicas: config.getNumber("replicas") ?? 0 }).map("payments", Payment);
const mongo = new Mongo("store", { namespace, members: config.getNumber("members") ?? 1 });
const transactions = mongo.collection("transactions", Transaction);
const confirmations = mongo.collection("confirmations", Confirmation);
const alerts = mongo.collection("alerts", Alert);

// What computes
const faas = new Faas("functions", { namespace, provider: fission() });
const services = new Faas("services", { namespace, provider: deployments() });
const behaviour = { latencyMilliseconds: 5, errors: 0, silences: 0, ...config.getObject<object>("fraud") };
const fraudFn = services.fn(fraud, { behaviour: given(behaviour) });
services.http("POST /scores", fraudFn);
const other = config.get("fraudApi");
const fraudApi = other === undefined ? services.url("/scores") : elsewhere("fraud-api", other);
const needs = { payments, fraudApi: given({ url: fraudApi.url, timeoutMilliseconds: 300 }, fraudApi) };
const key = (name: string) => new random.RandomPassword(name, { length: 40, special: false }).result;
// Every request waits for it: without a router in between.
const assessFn = services.fn(assess, needs);
const resumeFn = faas.fn(resume, needs);
const signingKey = key("wallet-signatures");
const parseFn = faas.fn(parse, {
  keys: given({ tokens: key("card-tokens"), wallets: pulumi.all([signingKey]) }),
  assess: assessFn,
});
const approveFn = faas.fn(approve, { transactions, confirmations });
const alertFn = faas.fn(alert, { alerts });

const gateway = new Gateway("api", { namespace });

// What flows: one line per arrow
for (const frontEnd of FrontEnd.options) {
  gateway.route(`POST /payments/${frontEnd}`, parseFn, {
    clients: gateway.keys(frontEnd),
    limit: "200 per second",
    body: "16 KiB",
    to: "/payments",
    // Functions get the bytes that were sent, whatever they were called.
    headers: { set: { "content-type": "application/octet-stream" } },
  });
}
payments.triggers(approveFn, { when: { outcome: "approved" } });
payments.triggers(alertFn, { when: { outcome: "declined" } });
payments.triggers(resumeFn, { when: { outcome: "held" } });

// What proves it: `npm run verify -- payments`
const frontEnd = (name: FrontEnd) => {
  const credentials = pulumi.output(gateway.keys(name).keys[name]).apply((key) => ({ "x-api-key": key }));
  const url = pulumi.interpolate`${gateway.url}/payments/${name}`;
  return look(given({ url, ca: gateway.ca, credentials, signingKey }, gateway));
};
new Verifier("verify", {
  namespace,
  program: new URL("../../functions/payments/verify.ts", import.meta.url),
  ports: {
    terminal: frontEnd("terminal"),
    shop: frontEnd("shop"),
    wallet: frontEnd("wallet"),
    payments: look(payments),
    transactions: look(transactions),
    confirmations: look(confirmations),
    alerts: look(alerts),
  },
});

export const { url: api, ca } = gateway;
