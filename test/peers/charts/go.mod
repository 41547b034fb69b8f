module delegated-ipam.test/peers/charts

go 1.26.0

require (
	github.com/cilium/cilium v1.20.2
	github.com/flannel-io/flannel v0.28.10
)
