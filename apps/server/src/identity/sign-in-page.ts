/** The sign-in page of the built-in issuer: one form, no script, usable without a mouse. `uid` is the provider's own, never a user's text. */
export function signInPage(uid: string, problem?: string): string {
  const safeUid = encodeURIComponent(uid);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sign in – Bailiwick</title><meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0;color:#1b1f24;background:#f6f7f9}form{background:#fff;padding:2rem;border-radius:.5rem;box-shadow:0 1px 4px #0003;width:18rem}label{display:block;margin:.75rem 0}input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}button{font:inherit;padding:.5rem 1rem;width:100%}p[role=alert]{color:#a1161b}</style></head>
<body><main><form method="post" action="/oidc-sign-in/${safeUid}">
<h1>Sign in</h1>${problem === undefined ? '' : `<p role="alert">${problem}</p>`}
<label>Name <input name="name" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button></form></main></body></html>
`;
}
