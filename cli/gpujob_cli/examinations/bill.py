"""What the queue costs in a month with the workers that live now. Pure; the prices are in `costs`."""

from __future__ import annotations

from gpujob.records import QueueConfig
from gpujob_cli import costs
from gpujob_cli.examinations.findings import Finding


def of_queue(config: QueueConfig, workers: int, endpoint: str) -> Finding:
    """Requests and dollars: of the workers while idle, of a thousand jobs, of an hour of waiting for one."""
    one = costs.idle_worker(config)
    month = costs.Requests(one.writes * max(1, workers), one.reads * max(1, workers))
    job, hour = costs.ONE_JOB, costs.waiter_hour()
    prices = costs.prices_at(endpoint)
    who = f"{workers} idle workers poll" if workers > 1 else "one idle worker polls"
    text = f"{who} with about {month.writes + month.reads:,.0f} requests a month"
    lines = [
        f"a job takes {job.writes:.0f} PUT and {job.reads:.0f} GET",
        f"waiting for one takes {hour.reads:,.0f} GET and {hour.writes:,.0f} LIST an hour",
    ]
    facts = {
        "workers": workers,
        "requests_a_month": round(month.writes + month.reads),
        "of_one_worker": round(one.writes + one.reads),
        "requests_a_job": job.writes + job.reads,
        "requests_an_hour_of_waiting": hour.writes + hour.reads,
        "prices": prices.of if prices else "",
    }
    if prices is None:
        text += "; requests to this store are not billed as far as is known"
        return Finding("cost", "ok", text, lines=tuple(lines), facts=facts)
    thousand, wait = 1000 * prices.each(job), prices.each(hour)
    facts |= {
        "dollars_a_month": round(prices.of_requests(month), 2),
        "dollars_a_thousand_jobs": round(thousand, 4),
        "dollars_an_hour_of_waiting": round(wait, 5),
    }
    lines = [f"{lines[0]}: ${thousand:.3f} for a thousand", f"{lines[1]}: ${wait:.4f}"]
    text += f": ${prices.of_requests(month):.2f} on {prices.of}"
    return Finding("cost", "ok", text, lines=tuple(lines), facts=facts)
