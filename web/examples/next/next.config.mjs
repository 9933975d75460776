/** @type {import("next").NextConfig} */
export default {
  // Scripts of another origin (a CDN): its address.
  assetPrefix: process.env.CDN,
  // Next's own scripts are inline; with nonces (its guide says how) 'unsafe-inline' can go.
  headers: async () => [
    { source: "/(.*)", headers: [{ key: "Content-Security-Policy", value: process.env.POLICY ?? "default-src 'self'" }] },
  ],
};
