//! From text to tree, by recursive descent.
//!
//! ```text
//! filter  = [all]
//! all     = any { ["AND"] any }
//! any     = not { "OR" not }
//! not     = ["NOT" | "-"] simple
//! simple  = "(" all ")" | comparison
//! ```

use super::comparison::Comparison;
use super::error::{FilterError, Flaw, found};
use super::expr::{Expr, Term};
use super::field::Field;
use super::lexer::{Lexer, Operator, Token};
use super::limits::{MAX_BYTES, MAX_DEPTH, MAX_TERMS};

/// Reads a filter, in which `attributes` can be named like the engine's own fields. The empty one selects every saga.
///
/// # Errors
/// [`FilterError`] says what is wrong, where, and what was expected or probably meant.
pub fn parse(text: &str, attributes: &[&str]) -> Result<Expr, FilterError> {
    if text.len() > MAX_BYTES {
        return Err(FilterError { at: MAX_BYTES, flaw: Flaw::TooLong });
    }
    let mut parser = Parser { lexer: Lexer::new(text), attributes, depth: 0, terms: 0 };
    if parser.lexer.peek().1 == Token::End {
        return Ok(Expr::All(Vec::new()));
    }
    let expr = parser.all()?;
    match parser.lexer.peek() {
        (_, Token::End) => Ok(expr),
        (at, _) => Err(parser.expected(at, "AND, OR or the end")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    attributes: &'a [&'a str],
    depth: usize,
    terms: usize,
}

impl Parser<'_> {
    fn all(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.any()?];
        loop {
            match self.lexer.peek().1 {
                Token::And => {
                    self.lexer.next();
                    parts.push(self.any()?);
                }
                // Two comparisons side by side: both.
                Token::Open | Token::Not | Token::Minus | Token::Word(_) => parts.push(self.any()?),
                Token::Close | Token::Or | Token::Operator(_) | Token::Other(_) | Token::End => {
                    return Ok(one_or(parts, Expr::All));
                }
            }
        }
    }

    fn any(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.not()?];
        while self.lexer.peek().1 == Token::Or {
            self.lexer.next();
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expr::Any))
    }

    fn not(&mut self) -> Result<Expr, FilterError> {
        match self.lexer.peek() {
            (_, Token::Not) => {
                self.lexer.next();
                Ok(Expr::Not(Box::new(self.simple()?)))
            }
            (at, Token::Minus) => {
                self.lexer.next();
                if !self.lexer.is_joined() {
                    return Err(self.expected(at, "a comparison right after -, as in -state:stuck"));
                }
                Ok(Expr::Not(Box::new(self.simple()?)))
            }
            _ => self.simple(),
        }
    }

    fn simple(&mut self) -> Result<Expr, FilterError> {
        let (at, token) = self.lexer.next();
        match token {
            Token::Open => {
                if self.depth == MAX_DEPTH {
                    return Err(FilterError { at, flaw: Flaw::TooDeep });
                }
                self.depth += 1;
                let inner = self.all()?;
                self.depth -= 1;
                match self.lexer.next() {
                    (_, Token::Close) => Ok(inner),
                    (at, _) => Err(self.expected(at, "AND, OR or )")),
                }
            }
            Token::Word(word) => {
                if self.terms == MAX_TERMS {
                    return Err(FilterError { at, flaw: Flaw::TooManyTerms });
                }
                self.terms += 1;
                self.comparison(at, word).map(Expr::Term)
            }
            Token::Close
            | Token::And
            | Token::Or
            | Token::Not
            | Token::Minus
            | Token::Operator(_)
            | Token::Other(_)
            | Token::End => Err(self.expected(at, "a field, as in state = stuck, or (")),
        }
    }

    fn comparison(&mut self, at: usize, word: &str) -> Result<Term, FilterError> {
        if matches!(word.to_ascii_uppercase().as_str(), "AND" | "OR" | "NOT") {
            return Err(self.expected(at, "a field; AND, OR and NOT are written in capitals"));
        }
        let Some(field) = Field::named(word, self.attributes) else {
            let followed = matches!(self.lexer.peek().1, Token::Operator(_));
            let nearest = Field::nearest(word, self.attributes);
            if !followed && nearest.is_none() {
                return Err(self.expected(at, "a field, an operator and a value, as in key = ORD-1"));
            }
            let attributes = self.attributes.iter().map(|name| (*name).to_owned()).collect();
            return Err(FilterError { at, flaw: Flaw::UnknownField { found: found(word), nearest, attributes } });
        };
        let (operator_at, token) = self.lexer.next();
        let Token::Operator(operator) = token else {
            return Err(self.expected(operator_at, "one of = != < <= > >= : after the field"));
        };
        let value = self.lexer.value()?;
        let asked = Comparison { field, operator, operator_at, value };
        if operator == Operator::Has && asked.value.text == "*" && !asked.value.quoted {
            asked.present()
        } else {
            asked.term()
        }
    }

    fn expected(&self, at: usize, expected: &str) -> FilterError {
        let flaw = Flaw::Expected { expected: expected.to_owned(), found: self.lexer.shown(at) };
        FilterError { at, flaw }
    }
}

fn one_or(mut parts: Vec<Expr>, make: impl Fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            make(parts)
        }
        None => make(parts),
    }
}
