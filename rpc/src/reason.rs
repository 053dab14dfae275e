//! Every stable reason a participant gives: to gRPC callers and to sagas. The documentation's tables come from here.

macro_rules! reasons {
    ($(#[$outer:meta])* $name:ident { $($variant:ident = $text:literal, $meaning:literal;)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// UPPER_SNAKE, stable for ever, at most 63 bytes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// One sentence for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

reasons! {
    /// Why a gRPC call of a business service failed: `ErrorInfo.reason`.
    Reason {
        FieldRequired = "FIELD_REQUIRED", "A required field is missing.";
        NameInvalid = "NAME_INVALID", "A resource name does not have the form its field asks for.";
        RequestIdInvalid = "REQUEST_ID_INVALID", "request_id is not a UUID.";
        ItemIdInvalid = "ITEM_ID_INVALID", "An item id is not 1 to 64 of [A-Za-z0-9_-].";
        OrderNumberInvalid = "ORDER_NUMBER_INVALID", "An order number is not a UUID in lower-case hyphenated form.";
        PaymentIdInvalid = "PAYMENT_ID_INVALID", "A payment id is not 1 to 64 of [A-Za-z0-9_-].";
        CustomerIdInvalid = "CUSTOMER_ID_INVALID", "A customer id is empty, longer than 64 bytes or has control characters.";
        DisplayNameInvalid = "DISPLAY_NAME_INVALID", "A display name is longer than 200 bytes or has control characters.";
        CurrencyNotAllowed = "CURRENCY_NOT_ALLOWED", "The currency is not on this installation's list.";
        QuantityOutOfRange = "QUANTITY_OUT_OF_RANGE", "A quantity is below or above its bound.";
        PriceOutOfRange = "PRICE_OUT_OF_RANGE", "A price is negative or above 10^12 minor units.";
        LinesMissing = "LINES_MISSING", "An order has no line.";
        TooManyLines = "TOO_MANY_LINES", "An order has more than 100 lines.";
        ItemRepeated = "ITEM_REPEATED", "An item stands on two lines of one order.";
        AmountOverflow = "AMOUNT_OVERFLOW", "An order's total does not fit into 63 bits of minor units.";
        EnumUnknown = "ENUM_UNKNOWN", "An enum field holds a value this server does not know.";
        PageSizeNegative = "PAGE_SIZE_NEGATIVE", "page_size is negative.";
        PageTokenInvalid = "PAGE_TOKEN_INVALID", "page_token is not one this server gave for this query.";
        FilterInvalid = "FILTER_INVALID", "A filter breaks the filter language; ErrorInfo has its position and the nearest field.";
        OrderByInvalid = "ORDER_BY_INVALID", "order_by names no field that lists can be ordered by, or says more than a direction.";
        PresetUnknown = "PRESET_UNKNOWN", "No preset has this name.";
        DefinitionInvalid = "DEFINITION_INVALID", "The steps, or a retry policy, break a rule of definitions.";
        DurationInvalid = "DURATION_INVALID", "A duration is negative or malformed.";
        ActorInvalid = "ACTOR_INVALID", "An actor is not 1 to 128 characters, or has control characters.";
        OrderReasonInvalid = "ORDER_REASON_INVALID", "The reason of an operator's order is not 1 to 500 characters, or has control characters.";
        TargetUnknown = "TARGET_UNKNOWN", "Nothing of this name can be killed here.";
        RateOutOfRange = "RATE_OUT_OF_RANGE", "A job's rate is above 1,000 orders a second.";
        TooManyKeys = "TOO_MANY_KEYS", "Probe asks for more than 256 commands.";
        CommandKeyInvalid = "COMMAND_KEY_INVALID", "A command key has no 16-byte saga id, a step above 63 or no direction.";
        RequestIdReused = "REQUEST_ID_REUSED", "The request id was used before with other content.";
        ItemExists = "ITEM_EXISTS", "An item of this id exists with other content.";
        StockOverflow = "STOCK_OVERFLOW", "The item's stock would exceed 10^15 units.";
        OrderNotFound = "ORDER_NOT_FOUND", "There is no such order.";
        PaymentNotFound = "PAYMENT_NOT_FOUND", "There is no such payment.";
        ItemNotFound = "ITEM_NOT_FOUND", "There is no such item.";
        MessageTooLarge = "MESSAGE_TOO_LARGE", "A request, or the answer it asks for, is longer than 4 MiB.";
        MessageMalformed = "MESSAGE_MALFORMED", "A request's bytes are not the message that its method takes; text that is not UTF-8, for example.";
        CompressionUnsupported = "COMPRESSION_UNSUPPORTED", "A request is compressed in a way this server does not read.";
        UnknownMethod = "UNKNOWN_METHOD", "No service of this port has this method.";
        DeadlineExceeded = "DEADLINE_EXCEEDED", "The call took longer than its caller or the server waits; its outcome is not known.";
        StoreUnavailable = "STORE_UNAVAILABLE", "The database is away or busy; nothing was written. Retry.";
        OutcomeUnknown = "OUTCOME_UNKNOWN", "The database was lost at commit. Repeat the same request, with its request id if it has one, to learn the outcome.";
        Overloaded = "OVERLOADED", "Too many requests wait; nothing was done. Retry.";
        Internal = "INTERNAL", "A defect of this server; its log has the cause.";
    }
}

reasons! {
    /// Why a command was refused for good (`Rejected`) or not answered this time (`Unavailable`).
    CommandReason {
        MalformedCommand = "MALFORMED_COMMAND", "The command breaks the wire protocol's bounds. Not stored. Rejected if it is an action's first attempt, otherwise unavailable.";
        MalformedPayload = "MALFORMED_PAYLOAD", "Rejected: the payload is not what the command's name asks for.";
        UnknownCommand = "UNKNOWN_COMMAND", "Unavailable: this build of the participant does not know the command.";
        UndoneBeforeAction = "UNDONE_BEFORE_ACTION", "Rejected: the undo came before the action, which must not run any more.";
        DeadlinePassed = "DEADLINE_PASSED", "Unavailable: the action arrived after its deadline and was not begun.";
        HandlerFailed = "HANDLER_FAILED", "Unavailable: a defect of the participant; its log has the cause.";
        StoreBusy = "STORE_UNAVAILABLE", "Unavailable: the participant's database is away; the outcome may be unknown.";
        StoreConflict = "STORE_CONFLICT", "Unavailable: the participant's database stayed locked by others.";
        OrderMismatch = "ORDER_MISMATCH", "Rejected: the order exists with another customer, currency or other lines.";
        OrderNotPending = "ORDER_NOT_PENDING", "Rejected: the order was placed before or has ended.";
        OrderState = "ORDER_STATE", "Rejected: the order is not this saga's, or not in the state the command needs.";
        ItemUnknown = "ITEM_UNKNOWN", "Rejected: the catalogue has no such item.";
        PriceChanged = "PRICE_CHANGED", "Rejected: the catalogue's price is not the one the customer saw.";
        CurrencyMismatch = "CURRENCY_MISMATCH", "Rejected: the item is sold in another currency.";
        OutOfStock = "OUT_OF_STOCK", "Rejected: there are fewer units available than ordered.";
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandReason, Reason};
    use std::collections::HashSet;

    #[test]
    fn reasons_are_unique_upper_snake_and_short() {
        let grpc = Reason::ALL.iter().map(|reason| reason.as_str()).collect::<Vec<_>>();
        let command = CommandReason::ALL.iter().map(|reason| reason.as_str()).collect::<Vec<_>>();
        for list in [grpc, command] {
            assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len());
            for text in list {
                assert!(text.len() <= 63 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{text}");
            }
        }
    }
}
