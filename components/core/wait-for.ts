/** Says when a custom resource counts as created: when there is this value under this path into it. */
export const waitFor = (path: string, value = "True") => ({ "pulumi.com/waitFor": `jsonpath={${path}}=${value}` });
