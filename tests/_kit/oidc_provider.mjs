// The certified provider `oidc-provider` on loopback. Its settings come as JSON in the first argument:
// port, client (id, secret, uris), users (name to groups). Prints one line when it listens, and one for each failure.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...privateKey.export({ format: 'jwk' }), kid: `key-${process.pid}`, use: 'sig', alg: 'RS256' };
const users = settings.users;

const provider = new Provider(`http://127.0.0.1:${settings.port}`, {
  clients: [settings.client],
  jwks: { keys: [jwk] },
  cookies: { keys: ['a key for the tests of a login'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  issueRefreshToken: async () => true,
  findAccount: async (ctx, sub) => ({
    accountId: sub,
    claims: async () => ({
      sub,
      name: `${sub} of the provider`,
      preferred_username: sub,
      email: `${sub}@example.org`,
      email_verified: true,
      groups: users[sub] ?? [],
    }),
  }),
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: settings.push === true },
  },
  // Its own client refuses loopback, where the site of the test is.
  fetch: (url, { dispatcher, agent, ...rest }) => globalThis.fetch(url, rest),
});

for (const event of ['server_error', 'backchannel.error', 'authorization.error', 'grant.error']) {
  provider.on(event, (...args) => console.log(event, String(args.find((each) => each instanceof Error) ?? '')));
}

const answer = provider.callback();
createServer((request, response) => {
  // What the test changes: POST /test/users with a JSON object.
  if (request.url === '/test/users' && request.method === 'POST') {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => { Object.assign(users, JSON.parse(body)); response.end('{}'); });
    return;
  }
  answer(request, response);
}).listen(settings.port, '127.0.0.1', () => console.log(`listening at http://127.0.0.1:${settings.port}`));
