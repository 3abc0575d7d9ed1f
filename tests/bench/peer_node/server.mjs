// The benchmark's peer in Node: what an application writes over `ws` and `pg` to push its notifications. A trigger
// NOTIFYs each row; here it goes to the open tabs of its user. PORT, DATABASE_URL's parts as PG* variables,
// JWT_ALG and JWT_KEY_FILE (the secret, or the public key as PEM).
import { createPublicKey, createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import jwt from 'jsonwebtoken'
import pg from 'pg'
import { WebSocketServer } from 'ws'

const HEARTBEAT_MS = 30_000
const UNSENT_MAX = 1 << 20
const algorithms = [process.env.JWT_ALG ?? 'HS256']
// Parsed once: jsonwebtoken would try to read text as a public key at every call, at half a millisecond.
const keyText = readFileSync(process.env.JWT_KEY_FILE)
const key = algorithms[0].startsWith('HS') ? createSecretKey(keyText) : createPublicKey(keyText)

const pool = new pg.Pool({ max: 10 })
const tabs = new Map() // user id → Set of sockets

function join(user, socket) {
  let set = tabs.get(user)
  if (!set) tabs.set(user, (set = new Set()))
  set.add(socket)
}

function leave(user, socket) {
  const set = tabs.get(user)
  set?.delete(socket)
  if (set?.size === 0) tabs.delete(user)
}

function broadcast(user, message) {
  const set = tabs.get(user)
  if (!set) return
  const text = JSON.stringify(message)
  for (const socket of set) {
    // A tab that does not read must not fill the memory; it connects again and asks for what it missed.
    if (socket.bufferedAmount > UNSENT_MAX) socket.terminate()
    else socket.send(text)
  }
}

// ---- database ----

async function listen() {
  const client = new pg.Client()
  client.on('notification', ({ payload }) => {
    const notification = JSON.parse(payload)
    broadcast(notification.user_id, { type: 'new_notification', notification })
  })
  await client.connect()
  await client.query('listen node')
}

const findUser = (id) =>
  pool.query({
    name: 'user',
    text: `select u.id, (select count(*)::int from node.notifications n where n.user_id = u.id and n.read_at is null) as unread
           from node.users u where u.id = $1`,
    values: [id],
  })

const markRead = (user, id) =>
  pool.query({
    name: 'mark',
    text: 'update node.notifications set read_at = coalesce(read_at, now()) where id = $1 and user_id = $2 returning *',
    values: [id, user],
  })

const getUnread = (user, limit) =>
  pool.query({
    name: 'unread',
    text: `select * from node.notifications where user_id = $1 and read_at is null
           order by created_at desc, id desc limit $2`,
    values: [user, limit],
  })

// ---- messages ----

async function handle(user, socket, message) {
  switch (message.type) {
    case 'ping':
      socket.send(JSON.stringify({ type: 'pong' }))
      break
    case 'mark_read': {
      const { rows } = await markRead(user, message.notification_id)
      if (rows.length === 0)
        socket.send(JSON.stringify({ type: 'notification_updated', notification_id: message.notification_id, success: false }))
      else
        broadcast(user, { type: 'notification_updated', notification_id: rows[0].id, success: true, notification: rows[0] })
      break
    }
    case 'get_unread': {
      const { rows } = await getUnread(user, message.limit ?? 10)
      socket.send(JSON.stringify({ type: 'unread_notifications', notifications: rows }))
      break
    }
    default:
      socket.send(JSON.stringify({ type: 'error', message: 'unknown type' }))
  }
}

async function open(user, socket) {
  socket.alive = true
  socket.on('pong', () => (socket.alive = true))
  socket.on('close', () => leave(user, socket))
  socket.on('error', () => socket.terminate())
  socket.on('message', (data) => {
    handle(user, socket, JSON.parse(data)).catch((error) => {
      console.error(error)
      socket.close(1011)
    })
  })
  join(user, socket)
  const { rows } = await findUser(user)
  if (rows.length === 0) return socket.close(4000, 'unknown user')
  socket.send(
    JSON.stringify({ type: 'connected', message: 'Application startup complete', user_id: user, unread_count: rows[0].unread }),
  )
}

// ---- server ----

const http = createServer((request, response) => response.end('ok'))
const server = new WebSocketServer({ noServer: true })

http.on('upgrade', (request, socket, head) => {
  const url = new URL(request.url, 'http://localhost')
  let claims
  try {
    claims = jwt.verify(url.searchParams.get('token'), key, { algorithms })
  } catch {
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    return
  }
  server.handleUpgrade(request, socket, head, (tab) => {
    open(claims.sub, tab).catch((error) => {
      console.error(error)
      tab.close(1011)
    })
  })
})

setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.alive) socket.terminate()
    socket.alive = false
    socket.ping()
  }
}, HEARTBEAT_MS)

await listen()
http.listen(Number(process.env.PORT), '127.0.0.1', 4096)
