/** Policies as people write them, each with data, an input and the document that is asked for. */
export interface DecisionCase {
  readonly name: string;
  readonly rego: string;
  readonly data: object;
  readonly input: object;
  readonly path: string;
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_unused, index) => index);

const apiAccess: DecisionCase = {
  name: 'API access by role and path',
  path: 'api/authz/allow',
  rego: `package api.authz
import rego.v1
default allow := false
allow if {
	some role in input.claims.roles
	some permission in data.roles[role]
	permission.method == input.method
	glob.match(permission.path, ["/"], input.path)
	not suspended
}
suspended if input.claims.sub in data.suspended
`,
  data: {
    roles: {
      viewer: [
        { method: 'GET', path: '/api/*/orders' },
        { method: 'GET', path: '/api/*/orders/*' },
      ],
      editor: [
        { method: 'PUT', path: '/api/*/orders/*' },
        { method: 'POST', path: '/api/*/orders' },
      ],
    },
    suspended: ['mallory'],
  },
  input: { claims: { sub: 'ann', roles: ['viewer', 'editor'] }, method: 'PUT', path: '/api/shop/orders/17' },
};

const abacTime: DecisionCase = {
  name: 'ABAC with time and clearance',
  path: 'abac/allow',
  rego: `package abac
import rego.v1
default allow := false
allow if {
	input.subject.clearance >= input.resource.classification
	input.subject.department == input.resource.department
	within_hours
	not weekend
}
within_hours if {
	[hour, _, _] := time.clock([input.now_ns, "Europe/Berlin"])
	hour >= data.hours.from
	hour < data.hours.to
}
weekend if time.weekday(input.now_ns) in {"Saturday", "Sunday"}
`,
  data: { hours: { from: 7, to: 19 } },
  input: {
    subject: { clearance: 3, department: 'finance' },
    resource: { classification: 2, department: 'finance' },
    now_ns: 1_795_435_200_000_000_000 - 86_400_000_000_000 * 4,
  },
};

const admission: DecisionCase = {
  name: 'Kubernetes admission (denials)',
  path: 'kubernetes/admission/deny',
  rego: `package kubernetes.admission
import rego.v1
deny contains msg if {
	input.request.kind.kind == "Pod"
	some container in input.request.object.spec.containers
	not startswith(container.image, "registry.example.com/")
	msg := sprintf("image '%v' comes from an untrusted registry", [container.image])
}
deny contains msg if {
	some container in input.request.object.spec.containers
	not container.resources.limits.memory
	msg := sprintf("container '%v' has no memory limit", [container.name])
}
deny contains msg if {
	some container in input.request.object.spec.containers
	container.securityContext.privileged
	msg := sprintf("container '%v' is privileged", [container.name])
}
deny contains msg if {
	not input.request.object.metadata.labels.owner
	msg := "the label 'owner' is missing"
}
`,
  data: {},
  input: {
    request: {
      kind: { kind: 'Pod' },
      object: {
        metadata: { name: 'web', labels: { app: 'web' } },
        spec: {
          containers: [
            { name: 'web', image: 'registry.example.com/web:1', resources: { limits: { memory: '64Mi' } } },
            { name: 'side', image: 'docker.io/side:1', resources: {}, securityContext: { privileged: true } },
            { name: 'log', image: 'registry.example.com/log:1', resources: { limits: { memory: '32Mi' } } },
          ],
        },
      },
    },
  },
};

const network: DecisionCase = {
  name: 'network rules (CIDR)',
  path: 'network/allow',
  rego: `package network
import rego.v1
default allow := false
allow if {
	some rule in data.rules
	rule.port == input.port
	net.cidr_contains(rule.cidr, input.source)
	not blocked
}
blocked if {
	some cidr in data.blocked
	net.cidr_contains(cidr, input.source)
}
`,
  data: {
    rules: range(40).map((n) => ({ cidr: `10.${n}.0.0/16`, port: n % 2 === 0 ? 443 : 8443 })),
    blocked: ['10.66.0.0/16', '192.168.0.0/16'],
  },
  input: { source: '10.30.4.7', port: 443 },
};

const filtering: DecisionCase = {
  name: 'data filtering (comprehension over 200 documents)',
  path: 'filtering/visible',
  rego: `package filtering
import rego.v1
visible := [document.id |
	some document in data.documents
	document.tenant == input.tenant
	readable(document)
]
readable(document) if document.owner == input.user
readable(document) if document.group in input.groups
`,
  data: { documents: range(200).map((n) => ({ id: n, tenant: `t${n % 4}`, owner: `u${n % 17}`, group: `g${n % 9}` })) },
  input: { tenant: 't1', user: 'u3', groups: ['g2', 'g5'] },
};

const grouping: DecisionCase = {
  name: 'owners of 200 hosts (comprehension index)',
  path: 'owners/shared',
  rego: `package owners
import rego.v1
shared contains host if {
	some host in data.hosts
	owners := {owner | some owner, owned in data.machines; lower(owned) == host}
	count(owners) > 1
}
`,
  data: {
    hosts: range(200).map((n) => `host-${n}`),
    machines: Object.fromEntries(range(210).map((n) => [`user-${n}`, `HOST-${n % 200}`])),
  },
  input: {},
};

const groupingObjects: DecisionCase = {
  name: 'machines of 200 hosts as objects (comprehension index)',
  path: 'sizes/by_host',
  rego: `package sizes
import rego.v1
by_host contains {"host": host, "sizes": sizes} if {
	some host in data.hosts
	sizes := {name: machine.size | some name, machine in data.machines; lower(machine.host) == host}
	count(sizes) > 1
}
`,
  data: {
    hosts: range(200).map((n) => `host-${n}`),
    machines: Object.fromEntries(range(210).map((n) => [`machine-${n}`, { host: `HOST-${n % 200}`, size: n % 5 }])),
  },
  input: {},
};

const hierarchy: DecisionCase = {
  name: 'role hierarchy with 10,000 grants',
  path: 'hierarchy/allow',
  rego: `package hierarchy
import rego.v1
default allow := false
allow if {
	some role in effective_roles
	some grant in data.grants
	grant.role == role
	grant.project == input.project
	grant.action == input.action
}
effective_roles := graph.reachable(data.inherits, {input.role})
`,
  data: {
    inherits: { admin: ['editor'], editor: ['viewer'], viewer: [] },
    grants: range(10_000).map((n) => ({
      role: ['admin', 'editor', 'viewer'][n % 3],
      project: `p${n % 1000}`,
      action: ['read', 'write', 'delete', 'list'][n % 4],
    })),
  },
  input: { role: 'admin', project: 'p500', action: 'read' },
};

const manyRules: DecisionCase = {
  name: '1,000 indexed rules',
  path: 'many/allow',
  rego: `package many
import rego.v1
default allow := false
${range(1000)
  .map(
    (n) =>
      `allow if {\n\tinput.service == "service-${n}"\n\tinput.method in {"GET", "HEAD"}\n\tinput.level > ${n % 5}\n}`,
  )
  .join('\n')}
`,
  data: {},
  input: { service: 'service-777', method: 'GET', level: 4 },
};

const strings: DecisionCase = {
  name: 'string-heavy (split, regex, sprintf, lower)',
  path: 'strings/allow',
  rego: `package strings
import rego.v1
default allow := false
allow if {
	parts := split(trim(input.path, "/"), "/")
	parts[0] == "v1"
	regex.match("^[a-z][a-z0-9-]{2,30}$", parts[1])
	key := sprintf("%s:%s", [lower(parts[1]), upper(input.verb)])
	key in data.allowed
	contains(concat(",", input.scopes), "orders")
	not endswith(input.agent, "bot")
}
`,
  data: { allowed: ['shop-orders:GET', 'shop-orders:PUT'] },
  input: { path: '/v1/shop-orders/1', verb: 'get', scopes: ['profile', 'orders:read'], agent: 'curl/8' },
};

export const decisionCases: readonly DecisionCase[] = [
  apiAccess,
  abacTime,
  admission,
  network,
  filtering,
  grouping,
  groupingObjects,
  hierarchy,
  manyRules,
  strings,
];
