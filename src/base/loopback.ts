/** Tells whether plain http to this host stays on the machine. All names below `localhost` do (RFC 6761 §6.3). */
export function isLoopback({ hostname }: Pick<URL, 'hostname'>): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname) || hostname.endsWith('.localhost')
}
