/** Says that a custom resource counts as created once there is "True" under this path into it. */
export const waitFor = (path: string) => ({ "pulumi.com/waitFor": `jsonpath={${path}}=True` });
