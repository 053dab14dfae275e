//! A timeline drawn with plain characters, for terminals and for text that is pasted elsewhere.
//!
//! ```text
//! 2026-11-27T10:00:00Z                                   +12 s
//! trip.open           =+                         done
//! hotel.book            ==?...==?......==x       refused NO_ROOM
//! ```

use super::{ActionTaken, Bare, Doing, Ended, Lane, LaneOutcome, Said, Span, Timeline};
use crate::datetime::{rfc3339, spoken};
use saga_core::event::Verb;
use saga_core::saga::Direction;
use saga_core::time::Micros;

/// The narrowest and the widest picture.
const WIDTHS: std::ops::RangeInclusive<usize> = 20..=400;

/// Bare entries that are listed; the last ones tell most.
const MAX_BARE: usize = 20;

/// Actions that are told; of more the oldest are left out.
const MAX_ACTIONS: usize = 50;

/// What a lane's letters mean.
const LEGEND: [(char, &str); 8] = [
    ('=', "waits for an answer"),
    ('.', "pauses"),
    ('!', "stuck"),
    ('~', "paused"),
    ('+', "done"),
    ('x', "refused"),
    ('?', "no answer"),
    ('>', "goes on"),
];

/// The timeline in lines of at most `width` characters, 20 to 400; what is narrower or wider is drawn at the nearest.
///
/// Lanes stand in the order in which they began, each with its outcome; below them what operators did.
#[must_use]
pub fn text(timeline: &Timeline, width: usize) -> String {
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let mut lines = vec![heading(timeline, width)];
    let labels: Vec<String> = timeline.lanes.iter().map(label).collect();
    let outcomes: Vec<String> = timeline.lanes.iter().map(outcome).collect();
    let longest = |texts: &[String], most| texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(most);
    let label_width = longest(&labels, width * 2 / 5);
    let outcome_width = longest(&outcomes, width / 3);
    let bar_width = width - label_width - outcome_width - 2;
    let mut used = String::new();
    for ((lane, label), outcome) in timeline.lanes.iter().zip(&labels).zip(&outcomes) {
        let bar = bar(timeline, lane, bar_width);
        used.push_str(&bar);
        let label = fit(label, label_width);
        let line = format!("{label:label_width$} {bar:bar_width$} {}", fit(outcome, outcome_width));
        lines.push(line.trim_end().to_owned());
    }
    let older = timeline.actions.len().saturating_sub(MAX_ACTIONS);
    if older > 0 {
        lines.push(format!("{older} older actions are left out"));
    }
    lines.extend(timeline.actions.iter().skip(older).map(|action| fit(&action_line(timeline, action), width)));
    if let Some(why) = &timeline.broken {
        lines.push(fit(&format!("{} entries cannot be followed: {why}", timeline.bare.len()), width));
        let skipped = timeline.bare.len().saturating_sub(MAX_BARE);
        lines.extend(timeline.bare.iter().skip(skipped).map(|bare| fit(&said(timeline, bare), width)));
    }
    lines.extend(legend(&used, width));
    lines.join("\n")
}

fn heading(timeline: &Timeline, width: usize) -> String {
    let from = rfc3339(timeline.from);
    let total = after(timeline, timeline.to);
    let gap = width.saturating_sub(from.chars().count() + total.chars().count()).max(1);
    fit(&format!("{from}{}{total}", " ".repeat(gap)), width)
}

/// `+12 s`: how long after the start.
fn after(timeline: &Timeline, at: Micros) -> String {
    format!("+{}", spoken(at.since(timeline.from)))
}

fn label(lane: &Lane) -> String {
    match lane.half.direction {
        Direction::Action => lane.half.step.clone(),
        Direction::Undo => format!("{} undo", lane.half.step),
    }
}

fn outcome(lane: &Lane) -> String {
    let attempts = match lane.attempts {
        0 | 1 => String::new(),
        many => format!(", {many} attempts"),
    };
    match &lane.outcome {
        LaneOutcome::Open => match lane.spans.last().map(|span| span.doing) {
            Some(Doing::Stuck) => format!("stuck{attempts}"),
            Some(Doing::Paused) => format!("paused{attempts}"),
            Some(Doing::Attempt(attempt)) => format!("attempt {attempt}"),
            Some(Doing::Backoff(attempt)) => format!("pauses after {attempt}"),
            None => String::new(),
        },
        LaneOutcome::Done => match lane.half.direction {
            Direction::Action => format!("done{attempts}"),
            Direction::Undo => format!("undone{attempts}"),
        },
        LaneOutcome::Refused(reason) => format!("refused {reason}"),
        LaneOutcome::GivenUp(_) => format!("given up{attempts}"),
        LaneOutcome::Deadline => "saga's deadline".to_owned(),
        LaneOutcome::Cancelled => "cancelled".to_owned(),
        LaneOutcome::ByHand(Verb::Skip) => "skipped".to_owned(),
        LaneOutcome::ByHand(verb) => verb.as_str().to_owned(),
    }
}

/// One character for each equal part of the time. Where several things fall into one, the more telling wins: what was
/// answered before what was waited for, and that before pauses.
fn bar(timeline: &Timeline, lane: &Lane, width: usize) -> String {
    let mut cells = vec![' '; width];
    let mut paint = |cell: usize, mark: char| {
        if let Some(cell) = cells.get_mut(cell)
            && telling(mark) >= telling(*cell)
        {
            *cell = mark;
        }
    };
    for span in &lane.spans {
        let (first, last) = (cell(timeline, span.from, width), cell(timeline, span.to, width));
        for at in first..=last {
            paint(at, filling(span.doing));
        }
        if let Some(mark) = mark(span) {
            paint(last, mark);
        }
    }
    cells.into_iter().collect::<String>().trim_end().to_owned()
}

fn cell(timeline: &Timeline, at: Micros, width: usize) -> usize {
    let total = timeline.to.since(timeline.from).as_micros().max(1);
    let part = at.since(timeline.from).as_micros().min(total);
    usize::try_from(part * (width.saturating_sub(1)) as u128 / total).unwrap_or(0)
}

fn filling(doing: Doing) -> char {
    match doing {
        Doing::Attempt(_) => '=',
        Doing::Backoff(_) => '.',
        Doing::Stuck => '!',
        Doing::Paused => '~',
    }
}

fn mark(span: &Span) -> Option<char> {
    match &span.ended {
        Ended::Open => Some('>'),
        Ended::Succeeded(_) => Some('+'),
        Ended::Rejected(..) => Some('x'),
        Ended::Unavailable(_) | Ended::TimedOut => Some('?'),
        Ended::SentAgain | Ended::Deadline | Ended::ByOperator(_) => None,
    }
}

fn telling(mark: char) -> usize {
    " .=~!?>x+".find(mark).unwrap_or(0)
}

fn action_line(timeline: &Timeline, action: &ActionTaken) -> String {
    let at = action.half.as_ref().map(|half| format!(" at {half}")).unwrap_or_default();
    let why = if action.why.is_empty() { String::new() } else { format!(": {}", action.why) };
    format!("{} {} by {}{at}{why}", after(timeline, action.at), action.verb.as_str(), action.actor)
}

fn said(timeline: &Timeline, bare: &Bare) -> String {
    let half = |step: &u8, direction: &Direction| format!("step {step} {}", direction.as_str());
    let said = match &bare.said {
        Said::Started => "started".to_owned(),
        Said::Woken => "woken".to_owned(),
        Said::Succeeded(step, direction, attempt) => format!("{} attempt {attempt}: done", half(step, direction)),
        Said::Rejected(step, direction, attempt, reason) => {
            format!("{} attempt {attempt}: refused {reason}", half(step, direction))
        }
        Said::Unavailable(step, direction, attempt, reason) => {
            format!("{} attempt {attempt}: no answer {reason}", half(step, direction))
        }
        Said::Action(verb, actor, _) => format!("{} by {actor}", verb.as_str()),
    };
    format!("{} {said}", after(timeline, bare.at))
}

/// The meanings of the letters that occur, as many to a line as fit.
fn legend(used: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (letter, meaning) in LEGEND.iter().filter(|(letter, _)| used.contains(*letter)) {
        let entry = format!("{letter} {meaning}");
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + entry.chars().count() <= width => {
                line.push_str("   ");
                line.push_str(&entry);
            }
            Some(_) | None => lines.push(fit(&entry, width)),
        }
    }
    lines
}

/// Cut to `width` characters, with a mark where something is missing.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
