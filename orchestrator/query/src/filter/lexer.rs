//! A filter cut into tokens. What may stand where a value is expected differs from the rest, so the parser asks for one or
//! the other.

use super::error::{FilterError, Flaw, found};

/// What stands between values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Minus,
    Word(&'a str),
    Operator(Operator),
    /// What no filter holds at this place: a quotation mark, a digit, anything else.
    Other(&'a str),
    End,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
    Has,
}

impl Operator {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Has => ":",
        }
    }
}

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Where it begins.
    pub(super) at: usize,
    /// Without quotation marks and escapes.
    pub(super) text: String,
    /// True if it stood in quotation marks: then it is text and nothing else.
    pub(super) quoted: bool,
}

/// The rest of a filter.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and where it begins; stays before it.
    pub(super) fn peek(&self) -> (usize, Token<'a>) {
        let (at, token, _) = self.scan();
        (at, token)
    }

    /// The next token and where it begins.
    pub(super) fn next(&mut self) -> (usize, Token<'a>) {
        let (at, token, length) = self.scan();
        self.at = at + length;
        (at, token)
    }

    /// True if nothing parts the last token from the next.
    pub(super) fn is_joined(&self) -> bool {
        self.text[self.at..].starts_with(|c: char| !c.is_whitespace())
    }

    /// The next value.
    pub(super) fn value(&mut self) -> Result<Literal, FilterError> {
        let at = self.after_space();
        let rest = &self.text[at..];
        match rest.chars().next() {
            Some(mark @ ('"' | '\'')) => self.quoted(at, mark),
            _ => {
                let length = rest.find(|c| !is_in_value(c)).unwrap_or(rest.len());
                if length == 0 {
                    let expected = "a value, in quotation marks if it is more than a word".to_owned();
                    return Err(FilterError { at, flaw: Flaw::Expected { expected, found: self.shown(at) } });
                }
                self.at = at + length;
                Ok(Literal { at, text: rest[..length].to_owned(), quoted: false })
            }
        }
    }

    /// What stands at `at`, for an error.
    pub(super) fn shown(&self, at: usize) -> String {
        let rest = &self.text[at..];
        // The word that stands there, or else one character.
        let word = rest.find(|c| !is_in_value(c)).unwrap_or(rest.len());
        let length = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
        if length == 0 { "the end".to_owned() } else { format!("{:?}", found(&rest[..length])) }
    }

    fn quoted(&mut self, at: usize, mark: char) -> Result<Literal, FilterError> {
        let mut text = String::new();
        let mut chars = self.text[at + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                // A mark or a backslash after a backslash is meant as it stands; so is everything else.
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                c if c == mark => {
                    self.at = at + 1 + offset + 1;
                    return Ok(Literal { at, text, quoted: true });
                }
                c => text.push(c),
            }
        }
        Err(FilterError { at, flaw: Flaw::Unterminated })
    }

    fn after_space(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len())
    }

    fn scan(&self) -> (usize, Token<'a>, usize) {
        let at = self.after_space();
        let rest = &self.text[at..];
        let marks = [
            ("(", Token::Open),
            (")", Token::Close),
            ("!=", Token::Operator(Operator::NotEqual)),
            ("<=", Token::Operator(Operator::AtMost)),
            (">=", Token::Operator(Operator::AtLeast)),
            ("=", Token::Operator(Operator::Equal)),
            ("<", Token::Operator(Operator::Less)),
            (">", Token::Operator(Operator::More)),
            (":", Token::Operator(Operator::Has)),
            ("-", Token::Minus),
        ];
        if let Some((mark, token)) = marks.into_iter().find(|(mark, _)| rest.starts_with(mark)) {
            return (at, token, mark.len());
        }
        let Some(first) = rest.chars().next() else { return (at, Token::End, 0) };
        if !first.is_alphabetic() && first != '_' {
            return (at, Token::Other(&rest[..first.len_utf8()]), first.len_utf8());
        }
        let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        let word = &rest[..rest.find(|c| !in_word(c)).unwrap_or(rest.len())];
        let token = match word {
            "AND" => Token::And,
            "OR" => Token::Or,
            "NOT" => Token::Not,
            word => Token::Word(word),
        };
        (at, token, word.len())
    }
}

/// What may stand in a value without quotation marks: times and keys have `:`, `-`, `+`, `/` and the like in them.
fn is_in_value(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !matches!(c, '(' | ')' | '"' | '\'' | '=' | '<' | '>' | '!' | ',')
}
