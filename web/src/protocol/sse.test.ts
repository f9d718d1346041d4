import { describe, expect, it } from 'vitest';

import { SseParser } from './sse';

describe('SseParser', () => {
  it('reads events whole, whatever the pieces they come in', () => {
    const text =
      'retry: 3000\n\nevent: hand.raised\nid: 7\ndata: {"a":\ndata: 1}\n\n: keep-alive\n\ndata: x\r\n\r\n';
    for (let size = 1; size < 9; size++) {
      const parser = new SseParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual([
        { event: 'hand.raised', data: '{"a":\n1}', id: '7' },
        { event: 'message', data: 'x', id: null },
      ]);
      expect(parser.retryMs).toBe(3000);
    }
  });

  it('keeps no id for a passing event after a lasting one', () => {
    const found = new SseParser().push('id: 3\ndata: a\n\nevent: levels\ndata: b\n\n');
    expect(found.map((one) => one.id)).toEqual(['3', null]);
  });

  it('ignores what it does not know', () => {
    const parser = new SseParser();
    expect(parser.push('colour: red\nretry: soon\nevent: empty\n\n')).toEqual([]);
    expect(parser.retryMs).toBeNull();
  });
});
