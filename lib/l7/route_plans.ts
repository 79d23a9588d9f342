import type { Route } from "../routes/mod.ts";
import type { ErrorPage } from "../state/mod.ts";
import { compilePages, type PageOf, type Pages } from "./error_pages.ts";
import { compilePlan, type PlanServices, type RoutePlan } from "./route_plan.ts";

/** What the routes of one worker do with requests and answers, each compiled when it is asked for. */
export class RoutePlans {
  readonly #services: Omit<PlanServices, "pages" | "pageOf">;
  readonly #pageOf: PageOf;
  #errorPages: readonly ErrorPage[] | undefined;
  #pages: Pages;
  #plans = new WeakMap<Route, RoutePlan>();

  constructor(
    errorPages: readonly ErrorPage[] | undefined,
    { pageOf, ...services }: Omit<PlanServices, "pages">,
  ) {
    this.#services = services;
    this.#pageOf = pageOf;
    this.#errorPages = errorPages;
    this.#pages = compilePages(errorPages, { pageOf });
  }

  /** What is said of errors where a route says nothing. */
  get pages(): Pages {
    return this.#pages;
  }

  /** Compiles everything anew: what routes share has changed, as the files of pages have. */
  configure(errorPages: readonly ErrorPage[] | undefined = this.#errorPages): void {
    this.#errorPages = errorPages;
    this.#pages = compilePages(errorPages, { pageOf: this.#pageOf });
    this.#plans = new WeakMap();
  }

  of(route: Route): RoutePlan {
    let plan = this.#plans.get(route);
    if (plan === undefined) {
      const services = { ...this.#services, pages: this.#pages, pageOf: this.#pageOf };
      this.#plans.set(route, plan = compilePlan(route, services));
    }
    return plan;
  }
}
