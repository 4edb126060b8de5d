/** Node's own URL parser, which bundles take in place of the package `whatwg-url`. */
export const { URL, URLSearchParams } = globalThis;
