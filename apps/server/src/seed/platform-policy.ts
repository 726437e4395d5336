/** What a first start writes: the platform policy (Platform Admins everything, Project Users read access to their own project) and the demo. */

export const platformRego = `# The platform policy. It decides about every call of Bailiwick's own API, and has the first word on every request
# through the gateway: a deny here always counts, an allow here is enough.
package platform.authz

# Roles come from the token's claims, and from the bindings in this policy's data: {"bindings": {"alice": ["platform-admin"]}}.
roles contains role if some role in input.claims.roles

roles contains input.claims.role

roles contains role if some role in data.bindings[input.claims.sub]

default allow := false

# Platform Admins may do everything.
allow if "platform-admin" in roles

# Everybody who is signed in may ask who he is.
allow if {
	input.service == "bailiwick"
	input.action == "identity.whoami"
}

# Project Users may read the policy of their own project, its versions and its instances. Nothing else.
allow if {
	input.service == "bailiwick"
	input.action == "policy.read"
	input.method in {"GET", "HEAD"}
	input.project == input.claims.project
}

# An application's key may fetch the configuration and evaluate the flags of its own app and environment.
allow if {
	input.service == "bailiwick"
	input.action in {"config.fetch", "flag.evaluate", "environment.read"}
	input.claims.key_kind in {"server", "client"}
	input.resource.app_id == object.get(input.claims, "app_id", null)
	input.resource.environment == object.get(input.claims, "environment", null)
}

# What decides who gets what is not for keys in the hands of users.
deny contains "client keys do not see rules" if {
	input.action == "environment.read"
	input.claims.key_kind == "client"
}

test_key_fetches_its_own if allow with input as {"service": "bailiwick", "action": "config.fetch", "claims": {"sub": "k", "key_kind": "client", "app_id": "a", "environment": "e"}, "resource": {"app_id": "a", "environment": "e"}}

test_key_does_not_fetch_another if not allow with input as {"service": "bailiwick", "action": "config.fetch", "claims": {"sub": "k", "key_kind": "server", "app_id": "a", "environment": "e"}, "resource": {"app_id": "a", "environment": "f"}}

test_admin_may_write if allow with input as {"claims": {"sub": "a", "roles": ["platform-admin"]}, "method": "PUT", "path": "/policies/platform"}

test_user_reads_own_project if allow with input as {"service": "bailiwick", "action": "policy.read", "claims": {"sub": "u", "project": "p"}, "method": "GET", "project": "p"}

test_user_does_not_read_other_projects if not allow with input as {"service": "bailiwick", "action": "policy.read", "claims": {"sub": "u", "project": "p"}, "method": "GET", "project": "q"}

test_user_does_not_write if not allow with input as {"service": "bailiwick", "action": "policy.write", "claims": {"sub": "u", "project": "p"}, "method": "PUT", "project": "p"}
`;

export const platformData = { bindings: {} };

export const demoProject = 'demo';

export const demoRego = `# DEMO: a policy to play with. It guards /demo/… of the gateway, behind which a small echo service answers.
package demo.authz

default allow := false

# Members of the project may read.
allow if {
	input.method == "GET"
	input.claims.project == "demo"
}

# They may search the project's documents, ask questions and say what they think of the answers …
allow if {
	input.action in {"rag.search", "rag.query", "rag.feedback", "rag.documents.read"}
	input.claims.project == "demo"
}

# … and see each document that is not confidential. Documents with groups are for members of these, whatever stands here.
allow if {
	input.action == "document.read"
	input.claims.project == "demo"
	not "confidential" in input.document.tags
}

# Editors may also write, in office hours or not; and bring documents in.
allow if "editor" in input.claims.roles

# Nobody gets at the vault, whatever else allows it.
deny contains "the vault is closed to everybody" if startswith(input.path, "/demo/vault")
`;

export const demoData = { note: 'Demo data, seeded at the first start. Start with --no-demo to leave it out.' };
