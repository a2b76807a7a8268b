# make run   build and start the gateway with its page, on loopback
# make test  install what tests need and run them all

.PHONY: run test

run:
	@tests/install build
	cargo run --release -p cordboard

test:
	tests/run
