/*
 * A trial of an engine: one request of this process's own, from its socket to its last byte.
 *
 * Role: shows that an engine receives, decides, opens and moves, before clients depend on it. It asks for two things:
 * for bytes of a memory file, which have to arrive, and to read the root directory, which has to be refused as one.
 * Thread: any that is not the engine's. Owns the channels of its two requests. Waits for their answers only.
 */
#ifndef SFD_PROTOCOL_TRIAL_H
#define SFD_PROTOCOL_TRIAL_H

struct sfd_trial;

/*
 * Sends both requests by `socket`, a connected datagram socket, which is borrowed for the call. The trial in *out, and
 * 0; or -errno: -EAGAIN when the queue of the engine is full.
 */
int sfd_trial_begin(struct sfd_trial **out, int socket);

/*
 * Waits for the answers, so long, and frees the trial. 0 if they are right; -ETIMEDOUT, -EBADMSG for other bytes or no
 * answer, or the -errno of a refusal.
 */
int sfd_trial_end(struct sfd_trial *trial, int timeout_ms);

#endif
