/* The physical limit that a sender of the same packets is held against: one thread, AES-128-GCM by OpenSSL with a key
 * and a context for each destination, sendmmsg in batches of 64, one packet to each destination a tick.
 *
 * limit FIRST_ADDRESS PORT DESTINATIONS PAYLOAD_BYTES TICK_US TICKS: prints what it cost as one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, HEADER = 12, TAG = 16, LARGEST = 1500 };

struct stream {
    EVP_CIPHER_CTX *cipher;
    uint8_t salt[12];
    uint8_t packet[LARGEST];
    struct sockaddr_in address;
    struct iovec part;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double used(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Header and payload as SRTP seals them: the header is authenticated, the nonce made of SSRC and index (RFC 7714). */
static void seal(struct stream *s, const uint8_t *payload, int size, uint16_t sequence, uint32_t timestamp, uint32_t ssrc) {
    uint8_t nonce[12];
    uint32_t place[3] = {htonl(0x80000000u | 111u << 16 | sequence), htonl(timestamp), htonl(ssrc)};
    int length;
    memcpy(s->packet, place, HEADER);
    memcpy(nonce, s->salt, sizeof nonce);
    for (int i = 0; i < 4; i++) nonce[2 + i] ^= s->packet[8 + i];
    nonce[10] ^= sequence >> 8, nonce[11] ^= sequence & 255;
    EVP_EncryptInit_ex(s->cipher, NULL, NULL, NULL, nonce);
    EVP_EncryptUpdate(s->cipher, NULL, &length, s->packet, HEADER);
    EVP_EncryptUpdate(s->cipher, s->packet + HEADER, &length, payload, size);
    EVP_EncryptFinal_ex(s->cipher, s->packet + HEADER + size, &length);
    EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_GCM_GET_TAG, TAG, s->packet + HEADER + size);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    uint32_t first = ntohl(inet_addr(argv[1]));
    int port = atoi(argv[2]), count = atoi(argv[3]), size = atoi(argv[4]), ticks = atoi(argv[6]), full = 32 << 20, whole = IP_PMTUDISC_PROBE;
    double tick_s = atof(argv[5]) / 1e6, late = 0;
    long sent = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || size > LARGEST - HEADER - TAG) return 3;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &full, sizeof full);
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof whole); /* as Parola: never cut, so never numbered */
    struct stream *streams = calloc(count, sizeof *streams);
    struct mmsghdr *messages = calloc(count, sizeof *messages);
    uint8_t key[16], *payload = malloc(size);
    for (int i = 0; i < size; i++) payload[i] = rand();
    for (int i = 0; i < count; i++) {
        struct stream *s = streams + i;
        for (int j = 0; j < 16; j++) key[j] = rand();
        for (int j = 0; j < 12; j++) s->salt[j] = rand();
        s->cipher = EVP_CIPHER_CTX_new();
        if (!EVP_EncryptInit_ex(s->cipher, EVP_aes_128_gcm(), NULL, key, s->salt)) return 4;
        s->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(first + i)};
        s->part = (struct iovec){s->packet, HEADER + size + TAG};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &s->address, .msg_namelen = sizeof s->address, .msg_iov = &s->part, .msg_iovlen = 1};
    }
    double begin = now(), cpu = used();
    for (int tick = 0; tick < ticks; tick++) {
        double wait = begin + tick * tick_s - now();
        if (wait > 0) {
            struct timespec t = {0, (long)(wait * 1e9)};
            nanosleep(&t, NULL);
        } else if (-wait > late) late = -wait;
        for (int from = 0; from < count; from += BATCH) {
            int to = from + BATCH < count ? from + BATCH : count;
            for (int i = from; i < to; i++) seal(streams + i, payload, size, tick, tick * 960u, 1000u + i);
            for (int at = from; at < to;) {
                int done = sendmmsg(fd, messages + at, to - at, 0);
                if (done <= 0) return 5;
                at += done, sent += done;
            }
        }
    }
    printf("{\"packets\": %ld, \"cpu_s\": %.6f, \"seconds\": %.6f, \"late_s\": %.6f}\n", sent, used() - cpu, now() - begin, late);
    return 0;
}
