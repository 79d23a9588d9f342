import type { NewToken } from "../dns_control/mod.ts";
import type { Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import * as schema from "./schemas.ts";
import { timeText } from "./answers.ts";

/** Tokens that open the API. */
export function tokenRoutes({ control }: RoutesOptions): readonly Route[] {
  const path = "/v1/tokens";
  return [
    {
      ...{ method: "GET", path, id: "ListTokens", needs: "admin", output: schema.TOKENS },
      summary: "The tokens of the database, without what they are.",
      handle: () => ({ json: { tokens: control.tokens.list().map(tokenJson) } }),
    },
    {
      ...{ method: "POST", path, id: "CreateToken", needs: "admin", status: 201 },
      summary: "Makes a token, which is shown this once.",
      input: schema.NEW_TOKEN,
      output: schema.CREATED_TOKEN,
      handle: async ({ input, operation }) => {
        const { ttl, ...wanted } = input as Omit<NewToken, "ttlMs"> & { ttl?: number };
        const asked = { ...wanted, ttlMs: ttl === undefined ? undefined : ttl * 1000 };
        const { secret, token } = await control.tokens.add(asked, operation("CreateToken"));
        return { json: { ...tokenJson(token), token: secret } };
      },
    },
    {
      ...{ method: "DELETE", path: `${path}/{name}`, id: "RemoveToken", needs: "admin" },
      summary: "Removes a token.",
      status: 204,
      handle: async ({ path: { name = "" }, operation }) => {
        await control.tokens.remove(name, operation("RemoveToken"));
        return {};
      },
    },
  ];
}

function tokenJson({ name, scopes, createdAt, expiresAt }: {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt?: number;
}) {
  const end = expiresAt === undefined ? {} : { expires_at: timeText(expiresAt) };
  return { name, scopes, created_at: timeText(createdAt), ...end };
}
