/** What bundles take in place of a package that is imported and never used. */
export default undefined;
