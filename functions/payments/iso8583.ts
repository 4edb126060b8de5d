/**
 * ISO 8583 (1987) as payment terminals send it: message type in ASCII, bitmaps in binary, fields in ASCII.
 *
 * Every byte must be accounted for: a message that is cut, too long, or has another character than its field allows is
 * refused. The one library there is for this (`iso_8583` 2.6.7) takes 9 of 10 such messages, with empty or cut fields.
 */
import { BadInput } from "../kit/errors.ts";

/** By number; field 0 is the message type. Binary fields are in hexadecimal. */
export type Fields = Readonly<Record<number, string>>;

interface Format {
  readonly of: RegExp;
  /** Of the field, or at most where the field starts with its length in `digits`. */
  readonly length: number;
  readonly digits?: 2 | 3;
  readonly binary?: true;
}

const n = /^\d*$/;
const an = /^[A-Za-z0-9 ]*$/;
const ans = /^[\x20-\x7e]*$/;
const track2 = /^[\d=D]*$/;
const hexadecimal = /^[\da-f]*$/i;

const fixed = (of: RegExp, length: number): Format => ({ of, length });
const upTo = (of: RegExp, length: number, digits: 2 | 3 = 2): Format => ({ of, length, digits });
const bytes = (length: number): Format => ({ of: hexadecimal, length, binary: true });

const unknown = fixed(/^$/, -1);

/** The fields that requests for a payment have. */
const formats: Readonly<Record<number, Format>> = {
  2: upTo(n, 19), // card number
  3: fixed(n, 6), // processing code
  4: fixed(n, 12), // amount
  7: fixed(n, 10), // transmission, MMDDhhmmss in UTC
  11: fixed(n, 6), // trace number
  12: fixed(n, 6), // local time
  13: fixed(n, 4), // local date
  14: fixed(n, 4), // expiry, YYMM
  18: fixed(n, 4), // merchant's trade
  19: fixed(n, 3), // acquirer's country
  22: fixed(n, 3), // entry mode
  23: fixed(n, 3), // card sequence number
  25: fixed(n, 2), // condition code
  32: upTo(n, 11), // acquirer
  33: upTo(n, 11), // forwarder
  35: upTo(track2, 37), // track 2
  37: fixed(an, 12), // retrieval reference
  41: fixed(ans, 8), // terminal
  42: fixed(ans, 15), // merchant
  43: fixed(ans, 40), // name, city and country
  48: upTo(ans, 999, 3), // private
  49: fixed(n, 3), // currency
  52: bytes(8), // PIN block
  53: fixed(n, 16), // security control
  55: upTo(ans, 999, 3), // chip
  60: upTo(ans, 999, 3),
  61: upTo(ans, 999, 3),
  62: upTo(ans, 999, 3),
  63: upTo(ans, 999, 3),
  64: bytes(8), // message authentication
  128: bytes(8), // message authentication
};

const typeLength = 4;
const bitmapLength = 8;

/** @throws BadInput saying which field is wrong, without quoting it */
export function decodeMessage(message: Buffer): Fields {
  let at = 0;
  const take = (length: number, what: string): Buffer => {
    if (at + length > message.length) throw new BadInput(`ISO 8583: the message ends in ${what}`);
    at += length;
    return message.subarray(at - length, at);
  };
  const fields: Record<number, string> = { 0: text(take(typeLength, "its type"), n, "its type") };
  for (const number of present(take)) {
    const what = `field ${number}`;
    const format = formats[number];
    if (!format) throw new BadInput(`ISO 8583: ${what} is not known here`);
    const { of, length, digits, binary } = format;
    const size = digits === undefined ? length : Number(text(take(digits, what), n, `the length of ${what}`));
    if (size > length) throw new BadInput(`ISO 8583: ${what} is too long`);
    const value = take(size, what);
    fields[number] = binary ? value.toString("hex") : text(value, of, what);
  }
  if (at < message.length) throw new BadInput("ISO 8583: the message goes on after its last field");
  return fields;
}

/** The fields that the bitmaps name, in order; the first bit says that there is a second bitmap. */
function* present(take: (length: number, what: string) => Buffer): Generator<number> {
  const first = take(bitmapLength, "its bitmap");
  const bitmap = isSet(first, 1) ? Buffer.concat([first, take(bitmapLength, "its second bitmap")]) : first;
  for (let number = 2; number <= bitmap.length * 8; number++) if (isSet(bitmap, number)) yield number;
}

const bit = (number: number) => 0x80 >> ((number - 1) % 8);
const isSet = (bitmap: Buffer, number: number) => ((bitmap[(number - 1) >> 3] ?? 0) & bit(number)) !== 0;

function text(value: Buffer, of: RegExp, what: string): string {
  const read = value.toString("latin1");
  if (!of.test(read)) throw new BadInput(`ISO 8583: ${what} has a character that it must not have`);
  return read;
}

/** @throws RangeError where a field does not fit: it is never cut */
export function encodeMessage(fields: Fields): Buffer {
  const numbers = Object.keys(fields)
    .map(Number)
    .filter((number) => number > 0);
  const bitmap = Buffer.alloc(numbers.some((number) => number > 64) ? 2 * bitmapLength : bitmapLength);
  const set = (number: number) =>
    bitmap.writeUInt8((bitmap[(number - 1) >> 3] as number) | bit(number), (number - 1) >> 3);
  if (bitmap.length > bitmapLength) set(1);
  const parts = numbers.map((number) => {
    set(number);
    return encodeField(number, fields[number] as string);
  });
  const type = fields[0] ?? "";
  if (!/^\d{4}$/.test(type)) throw new RangeError("ISO 8583: the type does not fit");
  return Buffer.concat([Buffer.from(type, "latin1"), bitmap, ...parts]);
}

function encodeField(number: number, value: string): Buffer {
  const { of, length: most, digits, binary } = formats[number] ?? unknown;
  const size = binary ? value.length / 2 : value.length;
  const fits = of.test(value) && (digits === undefined ? size === most : size <= most);
  if (!fits) throw new RangeError(`ISO 8583: field ${number} does not fit`);
  if (binary) return Buffer.from(value, "hex");
  const length = digits === undefined ? "" : String(size).padStart(digits, "0");
  return Buffer.from(length + value, "latin1");
}
