/** Server-sent events out of text in arbitrary pieces (WHATWG HTML, 9.2.6). Pure: text in, messages out. */

export interface Message {
  event: string;
  data: string;
  /** The id that came with this very message; null for a passing one. */
  id: string | null;
}

export class SseParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;
  /** What the server asked for with `retry:`, in milliseconds. */
  retryMs: number | null = null;

  push(text: string): Message[] {
    this.rest += text;
    const messages: Message[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (!end) return messages;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      const message = this.line(line);
      if (message) messages.push(message);
    }
  }

  private line(line: string): Message | null {
    if (line === '') return this.dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.event = value;
    else if (field === 'data') this.data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  private dispatch(): Message | null {
    const message = { event: this.event || 'message', data: this.data.join('\n'), id: this.id };
    const empty = this.data.length === 0;
    this.event = '';
    this.data = [];
    this.id = null;
    return empty ? null : message;
  }
}
