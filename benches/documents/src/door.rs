//! Baton's own gRPC service for placing orders, in front of any design.

use crate::orders::{Placing, Standing};
use anyhow::Result;
use async_trait::async_trait;
use baton_rpc::server;
use shop_proto::order::v1::order_placement_service_server::{OrderPlacementService, OrderPlacementServiceServer};
use shop_proto::order::v1::{
    OrderProgress, PlaceOrderRequest, PlaceOrderResponse, WatchOrderRequest, WatchOrderResponse,
};
use std::sync::Arc;
use tokio::net::TcpListener;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// A design, as callers see it.
#[async_trait]
pub trait Shop: Send + Sync + 'static {
    /// Places an order and waits for its end; an order that was placed before is told as it stands.
    async fn place(&self, placing: Placing) -> Result<Standing>;
}

struct Door<S>(Arc<S>);

/// Serves until the process ends.
pub async fn serve<S: Shop>(listener: TcpListener, shop: Arc<S>) -> Result<()> {
    let routes = Routes::new(OrderPlacementServiceServer::new(Door(shop)));
    Ok(server::serve(listener, routes, std::future::pending()).await?)
}

#[async_trait]
impl<S: Shop> OrderPlacementService for Door<S> {
    async fn place_order(&self, request: Request<PlaceOrderRequest>) -> Result<Response<PlaceOrderResponse>, Status> {
        let placing = Placing::parse(request.into_inner())?;
        let (shop, order) = (self.0.clone(), placing.order);
        // In a task of its own: a caller that goes away must not stop an order half way.
        let placed = tokio::spawn(async move { shop.place(placing).await }).await;
        let standing = match placed {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) => return Err(Status::unavailable(format!("{error:#}"))),
            Err(_) => return Err(Status::internal("the order's task ended")),
        };
        let progress = OrderProgress {
            order: format!("orders/{order}"),
            state: standing.state.into(),
            done: standing.is_end(),
            reason: standing.reason,
            ..OrderProgress::default()
        };
        Ok(Response::new(PlaceOrderResponse { progress: Some(progress) }))
    }

    type WatchOrderStream = BoxStream<WatchOrderResponse>;

    async fn watch_order(
        &self,
        _request: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        Err(Status::unimplemented("the designs have no watchers"))
    }
}
