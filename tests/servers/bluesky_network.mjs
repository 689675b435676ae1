// Starts a whole Bluesky network for tests: identity directory, data server and app view, from npm @atproto/dev-env.
// Everything listens on 127.0.0.1 only. Needs Node >= 22, an empty PostgreSQL database and a Redis:
//   DB_POSTGRES_URL=postgresql://user@127.0.0.1:5432/bsky REDIS_HOST=127.0.0.1:6379 node bluesky_network.mjs network.json
// When it is up, the named file holds {"pds", "accounts": {"brand", "client"}}; it is removed when the network stops.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { Server } from 'node:net'
import { argv, env, exit, stderr } from 'node:process'

const file = argv[2] ?? 'network.json'
if (existsSync(file)) rmSync(file)
for (const name of ['DB_POSTGRES_URL', 'REDIS_HOST']) {
  if (!env[name]) {
    stderr.write(`set ${name}; the head of this file shows how\n`)
    exit(2)
  }
}

// dev-env has no setting for the address to listen on, and would take every interface of the machine.
const listen = Server.prototype.listen
Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === 'object' && 'port' in first) {
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest)
  }
  if (Number.isInteger(Number(first))) {
    const others = rest.filter((one) => typeof one === 'function')
    return listen.call(this, { port: Number(first), host: '127.0.0.1' }, ...others)
  }
  return listen.call(this, first, ...rest)
}

const { TestNetwork } = await import('@atproto/dev-env')
const network = await TestNetwork.create({
  dbPostgresSchema: 'connector', // letters and underscores only
  pds: { hostname: 'localhost' },
})

const accounts = {}
for (const name of ['brand', 'client']) {
  const handle = `x${name}.test` // "brand" and "client" alone are reserved names
  const password = `password-of-${name}`
  const agent = network.pds.getAgent()
  const { data } = await agent.createAccount({ handle, password, email: `${name}@example.test` })
  accounts[name] = { handle, did: data.did, password }
}
await network.processAll()
writeFileSync(file, JSON.stringify({ pds: network.pds.url, accounts }, null, 2))
console.log(`the network is up: ${network.pds.url}`)

const stop = async () => {
  rmSync(file, { force: true })
  await network.close().catch(() => {})
  exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
