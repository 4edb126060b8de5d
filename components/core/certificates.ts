import type * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { Component } from "./component.ts";

export interface CertificatesArgs {
  /** Host names that clients connect to. */
  readonly hosts: pulumi.Input<string>[];
}

/** A certificate for one server, signed by an authority of its own that signs nothing else. */
export class Certificates extends Component {
  /** PEM, for clients to verify the server by. */
  readonly ca: pulumi.Output<string>;
  /** PEM. */
  readonly certificate: pulumi.Output<string>;
  /** PEM (PKCS #8), a secret. */
  readonly key: pulumi.Output<string>;

  constructor(name: string, args: CertificatesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:core:Certificates", name, opts);
    const algorithm = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    // Ten years, renewed by the first `pulumi up` of the last one.
    const validity = { validityPeriodHours: 87_600, earlyRenewalHours: 8_760 };

    const caKey = this.child(tls.PrivateKey, "ca-key", algorithm);
    const ca = this.child(tls.SelfSignedCert, "ca", {
      privateKeyPem: caKey.privateKeyPem,
      subject: { commonName: `${name} authority` },
      isCaCertificate: true,
      allowedUses: ["cert_signing", "crl_signing"],
      ...validity,
    });
    const key = this.child(tls.PrivateKey, "key", algorithm);
    const request = this.child(tls.CertRequest, "request", {
      privateKeyPem: key.privateKeyPem,
      subject: { commonName: name },
      dnsNames: args.hosts,
    });
    const certificate = this.child(tls.LocallySignedCert, "certificate", {
      certRequestPem: request.certRequestPem,
      caPrivateKeyPem: caKey.privateKeyPem,
      caCertPem: ca.certPem,
      // Members of a cluster present the same certificate to each other.
      allowedUses: ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
      ...validity,
    });
    this.ca = ca.certPem;
    this.certificate = certificate.certPem;
    this.key = key.privateKeyPemPkcs8;
    this.registerOutputs({ ca: this.ca });
  }
}
