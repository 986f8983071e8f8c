/*
 * Which technique moves a transfer: the one that its client forces, the selector's, or what the rules say. Loop only.
 */
#include <errno.h>

#include "transfer/transfer_private.h"

/*
 * A page fault in a hole of a memory file allocates the page, and charges it to us; all other techniques read holes as
 * zeros.
 */
static uint32_t fits(const struct sfd_transfer *t)
{
    const uint32_t all = sfd_destination_fits(&t->destination, (enum sfd_medium)t->source.medium);
    const bool allocates = t->source.sparse && t->source.medium == SFD_MEDIUM_MEMORY;

    return allocates ? all & ~SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_MMAP) : all;
}

struct sfd_subject sfd_transfer_subject(const struct sfd_transfer *t)
{
    return (struct sfd_subject){
        .size = sfd_transfer_size(t),
        .kind = t->destination.kind,
        .asked = t->destination.asked,
        .nonblock = t->destination.nonblock,
        .fits = fits(t),
    };
}

/* All that a choice can depend on, O_NONBLOCK of the destination included. */
static struct sfd_subject ask_subject(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_destination_ask(&context->kernel, context->techniques, sfd_transfer_output(t), &t->destination);
    return sfd_transfer_subject(t);
}

/* No technique fits, or not the one that was asked for. An extended answer says which ones would. */
static enum sfd_next unfit(struct sfd_context *context, struct sfd_transfer *t, uint32_t fits)
{
    t->status.fits = fits;
    return sfd_transfer_fail(context, t, -EOPNOTSUPP);
}

static enum sfd_next move_by_rules(struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_subject subject = sfd_transfer_subject(t);
    enum sfd_technique technique =
        sfd_technique_choose(context->settings->rules, context->settings->rule_count, &subject);

    if (technique == SFD_TECHNIQUE_AUTO && !subject.asked) {
        subject = ask_subject(context, t);
        technique = sfd_technique_choose(context->settings->rules, context->settings->rule_count, &subject);
    }
    if (technique == SFD_TECHNIQUE_AUTO) return unfit(context, t, 0);
    return sfd_transfer_move_by(context, t, technique);
}

static enum sfd_next move_by_order(struct sfd_context *context, struct sfd_transfer *t)
{
    const struct sfd_subject subject = ask_subject(context, t);
    const uint8_t forced = t->options.technique;

    return sfd_technique_is_in(forced, subject.fits) ? sfd_transfer_move_by(context, t, (enum sfd_technique)forced)
                                                     : unfit(context, t, subject.fits);
}

enum sfd_next sfd_transfer_choose(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->options.technique != SFD_TECHNIQUE_AUTO) return move_by_order(context, t);
    if (context->settings->selector && ask_subject(context, t).fits != 0) {
        t->state = SFD_STATE_SELECTING;
        return sfd_transfer_pause(context, t, SFD_NEXT_SELECT);
    }
    return move_by_rules(context, t);
}

enum sfd_next sfd_transfer_obey(struct sfd_context *context, struct sfd_transfer *t)
{
    const struct sfd_subject subject = sfd_transfer_subject(t);

    if (t->verdict == SFD_TECHNIQUE_AUTO) return move_by_rules(context, t);
    if (sfd_technique_is_in(t->verdict, subject.fits))
        return sfd_transfer_move_by(context, t, (enum sfd_technique)t->verdict);
    sfd_counters_add(context->counters, SFD_COUNTER_UNFIT_SELECTIONS, 1);
    return move_by_rules(context, t);
}

void sfd_transfer_select(struct sfd_transfer *t, int verdict)
{
    t->verdict = verdict >= 0 && verdict < UINT8_MAX ? (uint8_t)verdict : UINT8_MAX;
    t->wait = SFD_NEXT_AGAIN;
}
