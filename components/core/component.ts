import * as pulumi from "@pulumi/pulumi";

/** A type without `Input` at any depth, so that a transform needs no casts. */
export type Plain<T> =
  // Not Output: it has the members of what it holds as well, from which nothing can be inferred.
  T extends pulumi.OutputInstance<infer U>
    ? Plain<U>
    : T extends Promise<infer U>
      ? Plain<U>
      : T extends (...args: never[]) => unknown
        ? T
        : T extends readonly (infer U)[]
          ? Plain<U>[]
          : T extends object
            ? { [K in keyof T]: Plain<T[K]> }
            : T;

/** Changes a child's arguments and options before it is created. */
export type Transform<Args> = (args: Plain<Args>, opts: pulumi.CustomResourceOptions) => void;

type Make<Args, R> = new (name: string, args: Args, opts?: pulumi.CustomResourceOptions) => R;

/** Base of every component: children get name, parent and transform in one place that cannot forget them. */
export abstract class Component extends pulumi.ComponentResource {
  readonly componentName: string;

  constructor(type: `fivefold:${string}:${string}`, name: string, opts?: pulumi.ComponentResourceOptions) {
    super(type, name, {}, opts);
    this.componentName = name;
  }

  /** @param suffix added to the component's name with a dash; empty for the child that bears the component's own name */
  protected child<Args extends object | undefined, R>(
    make: Make<Args, R>,
    suffix: string,
    args: NonNullable<NoInfer<Args>>,
    change?: Transform<NonNullable<NoInfer<Args>>>,
    opts: pulumi.CustomResourceOptions = {},
  ): R {
    const options: pulumi.CustomResourceOptions = { parent: this, ...opts };
    change?.(args as Plain<NonNullable<Args>>, options);
    return new make(suffix ? `${this.componentName}-${suffix}` : this.componentName, args, options);
  }
}
