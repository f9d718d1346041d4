/** The figures of a connection that mean something to a person, out of the browser's report. */

export interface Figures {
  /** Milliseconds there and back, by the connectivity checks. */
  roundTripMs: number | null;
  /** Milliseconds. */
  jitterMs: number | null;
  /** Packets lost of those sent, 0 to 1. */
  loss: number | null;
  /** Sound made up because packets were missing or late, 0 to 1 of what was played. */
  concealed: number | null;
  packets: number;
  codec: string | null;
}

export interface Entry {
  type: string;
  [field: string]: unknown;
}

export async function figures(peer: RTCPeerConnection): Promise<Figures> {
  return read(await report(peer));
}

export async function report(peer: RTCPeerConnection): Promise<Entry[]> {
  const entries: Entry[] = [];
  (await peer.getStats()).forEach((entry: Entry) => entries.push(entry));
  return entries;
}

export function read(entries: readonly Entry[]): Figures {
  const first = (type: string) => entries.find((one) => one.type === type);
  const pair = entries.find((one) => one.type === 'candidate-pair' && one['nominated'] === true);
  const inbound = first('inbound-rtp');
  const remote = first('remote-inbound-rtp');
  const flow = inbound ?? remote;
  const sent = first('outbound-rtp');
  const packets = number(inbound?.['packetsReceived'] ?? sent?.['packetsSent']) ?? 0;
  const lost = number(flow?.['packetsLost']);
  const played = number(inbound?.['totalSamplesReceived']);
  const concealed = number(inbound?.['concealedSamples']);
  const silent = number(inbound?.['silentConcealedSamples']) ?? 0;
  const codec = entries.find((one) => one.type === 'codec' && one['id'] === (inbound ?? sent)?.['codecId']);
  return {
    roundTripMs: thousand(pair?.['currentRoundTripTime']),
    jitterMs: thousand(flow?.['jitter']),
    loss: lost === null ? null : Math.max(0, lost) / Math.max(1, packets + Math.max(0, lost)),
    concealed: played && concealed !== null ? Math.max(0, concealed - silent) / played : null,
    packets,
    codec: typeof codec?.['mimeType'] === 'string' ? codec['mimeType'].replace('audio/', '') : null,
  };
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function thousand(value: unknown): number | null {
  const seconds = number(value);
  return seconds === null ? null : Math.round(seconds * 1000);
}
