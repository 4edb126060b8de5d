/** Passwords of devices, and the forms in which others hold them. */
import { createHmac, pbkdf2Sync } from "node:crypto";
import { hashPassword } from "../../functions/kit/password.ts";

/** All follow from one random password, so that a device more or less changes nobody else's. */
export function devicePassword(root: string, device: string): string {
  return derive(root, "password", device).toString("base64url").slice(0, 32);
}

/** A line of Mosquitto's password file. The password is random, so a hundred rounds keep it as safe as a million. */
export function mosquittoEntry(root: string, name: string, password: string): string {
  const rounds = 101;
  const salt = derive(root, "mosquitto salt", name).subarray(0, 12);
  const hash = pbkdf2Sync(password, salt, rounds, 64, "sha512");
  return `${name}:$7$${rounds}$${salt.toString("base64")}$${hash.toString("base64")}\n`;
}

/** An entry of a `credentials` port. */
export function credentialsEntry(root: string, device: string): string {
  const salt = derive(root, "credentials salt", device).subarray(0, 16).toString("base64");
  return hashPassword(device, devicePassword(root, device), salt);
}

function derive(root: string, purpose: string, name: string): Buffer {
  return createHmac("sha256", root).update(`${purpose}\0${name}`).digest();
}
