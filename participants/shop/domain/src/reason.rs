//! The shop's own reasons: of calls, and of commands to the order and stock participants. Those of payments are the payment
//! participant's.

use baton_rpc::reasons;

reasons! {
    /// Why a call of the shop's services failed, beside what any listener may answer.
    CALLS {
        ORDER_ALREADY_PLACED: "The order has been placed before, by another request.";
        ITEM_ID_INVALID: "An item id is not 1 to 64 of [A-Za-z0-9_-].";
        ORDER_NUMBER_INVALID: "An order number is not a UUID in lower-case hyphenated form.";
        PAYMENT_ID_INVALID: "A payment id is not 1 to 64 of [A-Za-z0-9_-].";
        CUSTOMER_ID_INVALID: "A customer id is empty, longer than 64 bytes or has control characters.";
        DISPLAY_NAME_INVALID: "A display name is longer than 200 bytes or has control characters.";
        CURRENCY_NOT_ALLOWED: "The currency is not on this installation's list.";
        QUANTITY_OUT_OF_RANGE: "A quantity is below or above its bound.";
        PRICE_OUT_OF_RANGE: "A price is negative or above 10^12 minor units.";
        LINES_MISSING: "An order has no line.";
        TOO_MANY_LINES: "An order has more than 100 lines.";
        ITEM_REPEATED: "An item stands on two lines of one order.";
        AMOUNT_OVERFLOW: "An order's total does not fit into 63 bits of minor units.";
        NOTHING_TO_PAY: "An order's total is 0: nobody could pay it.";
        ITEM_EXISTS: "An item of this id exists with other content.";
        STOCK_OVERFLOW: "The item's stock would exceed 10^15 units.";
        ORDER_NOT_FOUND: "There is no such order.";
        PAYMENT_NOT_FOUND: "There is no such payment.";
        PAYMENT_CASE_NOT_FOUND: "There is no such payment case; it may have ended by itself.";
        PAYMENT_CASE_NOT_OPEN: "The payment case does not wait for a person, or was settled otherwise.";
        ITEM_NOT_FOUND: "There is no such item.";
    }
}

reasons! {
    /// Why a command to the shop's participants was refused, beside what any participant may answer.
    COMMANDS {
        ORDER_MISMATCH: "Rejected: the order exists with another customer, currency or other lines.";
        ORDER_NOT_PENDING: "Rejected: the order was placed before or has ended.";
        ORDER_STATE: "Rejected: the order is not this saga's, or not in the state the command needs.";
        ITEM_UNKNOWN: "Rejected: the catalogue has no such item.";
        PRICE_CHANGED: "Rejected: the catalogue's price is not the one the customer saw.";
        CURRENCY_MISMATCH: "Rejected: the item is sold in another currency.";
        OUT_OF_STOCK: "Rejected: there are fewer units available than ordered.";
    }
}
