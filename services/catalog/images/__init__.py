"""Pictures of products: uploads and addresses that come in, renditions that imaging sends back, /media."""
