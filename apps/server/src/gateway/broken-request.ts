/** What Node's parser refuses: smuggling attempts, oversized headers, clients that are too slow. The connection cannot be trusted any more. */
interface RawSocket {
  writable: boolean;
  end(text: string): unknown;
  destroy(): unknown;
}

const answers: Readonly<Record<string, readonly [status: number, title: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

export function answerBrokenRequest(error: Error & { code?: string }, socket: RawSocket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, title] = answers[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = JSON.stringify({
    type: 'about:blank',
    title,
    status,
    code: 'validation_error',
    reason: 'gateway.broken_request',
    detail: 'The request is not well-formed HTTP.',
    request_id: '',
  });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
