//! Runs a script: each command against the real machine, its output put where the script expects it.

use super::define;
use super::text::{self, VERBS};
use super::words::Words;
use crate::exhaust::at_half;
use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Event, JournalRecord, OperatorAction, Outcome, Reply};
use saga_core::machine;
use saga_core::replay::replay;
use saga_core::saga::{Direction, Saga, SagaId};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Transition};

/// A line of a script that cannot be read; what a saga does is never an error, but output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ScriptError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Runs a script and returns it with every output as it really is: equal to `script` if all expectations hold.
///
/// `definitions` are what `use` can name.
///
/// # Errors
/// [`ScriptError`] for the first line that cannot be read.
pub fn run(script: &str, definitions: &[Definition]) -> Result<String, ScriptError> {
    let mut stage = Stage { definitions, definition: None, saga: None, journal: Vec::new(), now: Micros(0) };
    let mut lines = script.lines().enumerate().peekable();
    let mut result = String::new();
    let mut output = Vec::new();
    while let Some((index, line)) = lines.next() {
        let at_line = |why: String| ScriptError { line: index + 1, why };
        if line == "----" {
            result.push_str("----\n");
            output.drain(..).for_each(|line: String| result.push_str(&(line + "\n")));
            // What the script expected is replaced by what is.
            while lines.next_if(|(_, line)| !line.is_empty()).is_some() {}
            continue;
        }
        result.push_str(&(line.to_owned() + "\n"));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = Words::read(line).map_err(at_line)?;
        let command = words.next("a command").map_err(at_line)?;
        let mut indented = Vec::new();
        while let Some((index, line)) = lines.next_if(|(_, line)| line.starts_with(' ')) {
            result.push_str(&(line.to_owned() + "\n"));
            indented.push(Words::read(line).map_err(|why| ScriptError { line: index + 1, why })?);
        }
        output.extend(stage.perform(&command, words, indented).map_err(at_line)?);
    }
    if output.is_empty() {
        Ok(result)
    } else {
        Err(ScriptError { line: script.lines().count(), why: "the last commands lack a line ----".to_owned() })
    }
}

/// What a script has built up so far.
struct Stage<'a> {
    definitions: &'a [Definition],
    definition: Option<Definition>,
    saga: Option<Saga>,
    journal: Vec<Entry>,
    now: Micros,
}

impl Stage<'_> {
    /// One command; returns its output.
    fn perform(&mut self, command: &str, words: Words, indented: Vec<Words>) -> Result<Vec<String>, String> {
        match command {
            "define" => self.define(words, indented),
            "use" => self.take(words),
            "start" => self.start(words),
            "show" => Ok(self.show(self.saga()?)),
            "journal" => self.print_journal(),
            "replay" => Ok(vec![match replay(self.definition()?, &self.journal) {
                Ok(saga) if saga == *self.saga()? => format!("equal at v{}", saga.version),
                Ok(saga) => format!("DIFFERS at v{}: {}", saga.version, text::state(self.definition()?, &saga)),
                Err(error) => format!("error: {error}"),
            }]),
            event => self.event(event, words),
        }
    }

    fn define(&mut self, head: Words, lines: Vec<Words>) -> Result<Vec<String>, String> {
        match define::definition(head, lines)? {
            Err(error) => Ok(vec![format!("error: {error}")]),
            Ok(definition) => Ok(self.set(definition)),
        }
    }

    fn take(&mut self, mut words: Words) -> Result<Vec<String>, String> {
        let id = define::id(&words.next("NAME/VERSION")?)?;
        words.end()?;
        let known = self.definitions.iter().find(|definition| *definition.id() == id);
        let definition = known.ok_or_else(|| format!("the test knows no definition {id}"))?.clone();
        Ok(self.set(definition))
    }

    fn set(&mut self, definition: Definition) -> Vec<String> {
        let pivot =
            definition.pivot().map_or("no pivot".to_owned(), |at| format!("pivot {}", text::name(&definition, at)));
        let line = format!("{}: {} steps, {pivot}", definition.id(), definition.steps().len());
        self.definition = Some(definition);
        self.saga = None;
        vec![line]
    }

    fn start(&mut self, mut words: Words) -> Result<Vec<String>, String> {
        let id: u8 = words.option("id").map_or(Ok(7), |text| text.parse().map_err(|_| format!("{text:?} is no id")))?;
        let input = Bytes::from(words.option("input").unwrap_or_default());
        words.end()?;
        self.now = Micros(0);
        self.journal.clear();
        let transition = machine::start(self.definition()?, SagaId([id; 16]), input, self.now);
        self.accept(transition)
    }

    fn event(&mut self, command: &str, mut words: Words) -> Result<Vec<String>, String> {
        if let Some(after) = words.after()? {
            self.now = self.now.plus(after);
        }
        let event = match command {
            "wake" => self.wake(&mut words)?,
            "reply" => self.reply(&mut words)?,
            other => {
                let verb = VERBS.into_iter().find(|verb| verb.as_str() == other);
                let verb = verb.ok_or_else(|| format!("{other:?} is no command"))?;
                Event::Action(OperatorAction { verb, actor: words.next("an actor")?, reason: words.next("a reason")? })
            }
        };
        words.end()?;
        match machine::apply(self.definition()?, self.saga()?, &event, self.now) {
            Applied::Moved(transition) => self.accept(transition),
            Applied::Ignored(why) => Ok(vec![format!("ignored: {why:?}")]),
            Applied::Refused(why) => Ok(vec![format!("refused: {why}")]),
        }
    }

    fn wake(&mut self, words: &mut Words) -> Result<Event, String> {
        if let Some(when) = words.next_if(&["due", "early"]) {
            let due = self.saga()?.wake_at().ok_or("the saga has no deadline")?;
            let at = if when == "due" { due } else { Micros(due.0 - 1) };
            self.now = self.now.max(at);
        }
        Ok(Event::Wake)
    }

    fn reply(&mut self, words: &mut Words) -> Result<Event, String> {
        let name = words.next("a step's name")?;
        let step = self.definition()?.position(&name).ok_or_else(|| format!("no step is called {name:?}"))?;
        let direction = match words.next_if(&["action", "undo"]).as_deref() {
            Some("undo") => Direction::Undo,
            Some(_) | None => Direction::Action,
        };
        let newest = match at_half(self.saga()?) {
            Some((s, d, attempt)) if (s, d) == (step, direction) => attempt,
            Some(_) | None => 1,
        };
        let attempt =
            words.option("attempt").map_or(Ok(newest), |n| n.parse().map_err(|_| format!("{n:?} is no attempt")))?;
        let message = words.option("message").unwrap_or_else(|| "as the script says".to_owned());
        let outcome = match words.next("an outcome")?.as_str() {
            "succeeded" => Outcome::Succeeded { output: Bytes::from(words.option("output").unwrap_or_default()) },
            "rejected" => Outcome::Rejected { reason: words.next("a reason")?, message },
            "unavailable" => Outcome::Unavailable { reason: words.next("a reason")?, message },
            other => return Err(format!("{other:?} is no outcome")),
        };
        Ok(Event::Reply(Reply { step, direction, attempt, outcome }))
    }

    fn accept(&mut self, transition: Transition) -> Result<Vec<String>, String> {
        let Transition { saga, entry, commands } = transition;
        let definition = self.definition()?;
        let mut lines = vec![format!("v{} {}", saga.version, text::state(definition, &saga))];
        lines.extend(commands.iter().map(|command| format!("   {}", text::command(definition, &saga, command))));
        self.saga = Some(saga);
        self.journal.push(entry);
        Ok(lines)
    }

    fn show(&self, saga: &Saga) -> Vec<String> {
        let name = |step| self.definition.as_ref().map_or_else(String::new, |definition| text::name(definition, step));
        let mut lines = vec![format!("v{} last moved {}", saga.version, text::moment(saga, saga.updated_at))];
        lines.extend(saga.wake_at().map(|at| format!("wakes {}", text::moment(saga, at))));
        lines.extend(saga.deadline.map(|at| format!("deadline {}", text::moment(saga, at))));
        lines.extend(saga.cause().map(|why| format!("cause {} at {}: {}", why.reason, name(why.step), why.message)));
        lines.extend(saga.outputs.iter().map(|(step, bytes)| format!("output of {}: {bytes:?}", name(*step))));
        lines
    }

    fn print_journal(&self) -> Result<Vec<String>, String> {
        let (definition, saga) = (self.definition()?, self.saga()?);
        let line = |entry: &Entry| {
            let what = match &entry.record {
                JournalRecord::Started { definition, input } => format!("started {definition} with {input:?}"),
                JournalRecord::Moved(event) => text::event(definition, event, std::time::Duration::ZERO),
            };
            format!("v{} {} {what}", entry.version, text::moment(saga, entry.at))
        };
        Ok(self.journal.iter().map(line).collect())
    }

    fn definition(&self) -> Result<&Definition, String> {
        self.definition.as_ref().ok_or_else(|| "no definition yet: define or use one".to_owned())
    }

    fn saga(&self) -> Result<&Saga, String> {
        self.saga.as_ref().ok_or_else(|| "no saga yet: start one".to_owned())
    }
}
