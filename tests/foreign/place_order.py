"""Places an order with plain grpcio: a client that shares nothing with Baton but the .proto files.

Usage: place_order.py ADDRESS PROVIDER GENERATED_DIR
"""
import json
import sys
import urllib.request
import uuid

import grpc

address, provider, generated = sys.argv[1:4]
sys.path.insert(0, generated)
from shop.order.v1 import order_pb2  # noqa: E402
from shop.stock.v1 import stock_pb2  # noqa: E402

channel = grpc.insecure_channel(address)


def call(method, request, answer):
    rpc = channel.unary_unary(method, request_serializer=type(request).SerializeToString,
                              response_deserializer=answer.FromString)
    return rpc(request, timeout=20)


def request_id():
    return str(uuid.uuid4())


item = "py-" + uuid.uuid4().hex
call("/shop.stock.v1.ItemService/CreateItem",
     stock_pb2.CreateItemRequest(item_id=item, display_name="from Python", currency_code="KRW",
                                 unit_price_minor_units=700, initial_stock=5),
     stock_pb2.CreateItemResponse)
lines = [order_pb2.OrderLine(item_id=item, quantity=3, unit_price_minor_units=700)]
order = call("/shop.order.v1.OrderService/CreateOrder",
             order_pb2.CreateOrderRequest(request_id=request_id(), customer_id="bob", currency_code="KRW", lines=lines),
             order_pb2.CreateOrderResponse).order
body = json.dumps({"merchant_uid": order.name.removeprefix("orders/"), "amount": order.total.minor_units,
                   "currency": "KRW"}).encode()
pay = urllib.request.Request(provider + "/_sandbox/pay", data=body, headers={"Content-Type": "application/json"})
payment = json.load(urllib.request.urlopen(pay))["response"]["imp_uid"]
place = order_pb2.PlaceOrderRequest(request_id=request_id(), order=order.name, payment_id=payment, customer_id="bob",
                                    currency_code="KRW", lines=lines, wait=True)
progress = call("/shop.order.v1.OrderPlacementService/PlaceOrder", place, order_pb2.PlaceOrderResponse).progress
print(order_pb2.OrderState.Name(progress.state), progress.saga)

# The same request again is the same saga.
again = call("/shop.order.v1.OrderPlacementService/PlaceOrder", place, order_pb2.PlaceOrderResponse).progress
assert again.saga == progress.saga, (again.saga, progress.saga)

stock = call("/shop.stock.v1.ItemService/GetItem", stock_pb2.GetItemRequest(name="items/" + item),
             stock_pb2.GetItemResponse).item
print("available", stock.available, "reserved", stock.reserved)
