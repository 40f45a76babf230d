// A network and an IPAM plugin for Docker, on the SDK that most plugins use. Each network is a Linux bridge, each endpoint
// a veth pair. A file of faults says which calls fail: one "<Method> <fault>" a line.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-plugins-helpers/ipam"
	"github.com/docker/go-plugins-helpers/network"
)

const faults = "/run/sdk-plugin.faults"

// Does what the file says for a method: exit, hang, 500. See answer for "late".
func fault(method string) error {
	log(method)
	text, err := os.ReadFile(faults)
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.SplitN(line, " ", 2)
		if words[0] != method || len(words) < 2 {
			continue
		}
		switch words[1] {
		case "late":
		case "exit":
			os.Exit(137)
		case "hang":
			time.Sleep(time.Hour)
		default:
			return errors.New(words[1])
		}
	}
	return nil
}

// Keeps back the answer of a method that has done its work, where the file says so.
func answer(method string) {
	text, _ := os.ReadFile(faults)
	for _, line := range strings.Split(string(text), "\n") {
		if line == method+" late" {
			log(line)
			time.Sleep(time.Hour)
		}
	}
}

func log(method string) {
	if file, err := os.OpenFile("/run/sdk-plugin.log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		fmt.Fprintln(file, method)
		file.Close()
	}
}

func said(method string) bool {
	text, _ := os.ReadFile(faults)
	return strings.Contains(string(text), method+" ")
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %s", strings.Join(args, " "), strings.TrimSpace(string(out)))
	}
	return nil
}

func bridge(id string) string { return "gp" + id[:8] }
func outer(id string) string  { return "go" + id[:8] }
func inner(id string) string  { return "gi" + id[:8] }

type driver struct {
	sync.Mutex
	gateways map[string]string
}

func (d *driver) GetCapabilities() (*network.CapabilitiesResponse, error) {
	return &network.CapabilitiesResponse{Scope: network.LocalScope}, nil
}

func (d *driver) CreateNetwork(r *network.CreateNetworkRequest) error {
	defer answer("CreateNetwork")
	if err := fault("CreateNetwork"); err != nil {
		return err
	}
	d.Lock()
	defer d.Unlock()
	if err := ip("link", "add", bridge(r.NetworkID), "type", "bridge"); err != nil {
		return err
	}
	for _, data := range append(r.IPv4Data, r.IPv6Data...) {
		if data.Gateway == "" {
			continue
		}
		if err := ip("addr", "add", data.Gateway, "dev", bridge(r.NetworkID), "nodad"); err != nil {
			return err
		}
		d.gateways[r.NetworkID] += strings.Split(data.Gateway, "/")[0] + " "
	}
	return ip("link", "set", bridge(r.NetworkID), "up")
}

func (d *driver) DeleteNetwork(r *network.DeleteNetworkRequest) error {
	defer answer("DeleteNetwork")
	if err := fault("DeleteNetwork"); err != nil {
		return err
	}
	return ip("link", "del", bridge(r.NetworkID))
}

func (d *driver) AllocateNetwork(*network.AllocateNetworkRequest) (*network.AllocateNetworkResponse, error) {
	return nil, nil
}
func (d *driver) FreeNetwork(*network.FreeNetworkRequest) error { return nil }

func (d *driver) CreateEndpoint(r *network.CreateEndpointRequest) (*network.CreateEndpointResponse, error) {
	defer answer("CreateEndpoint")
	if err := fault("CreateEndpoint"); err != nil {
		return nil, err
	}
	if err := ip("link", "add", outer(r.EndpointID), "type", "veth", "peer", "name", inner(r.EndpointID)); err != nil {
		return nil, err
	}
	return nil, ip("link", "set", outer(r.EndpointID), "master", bridge(r.NetworkID), "up")
}

// As most plugins: not idempotent.
func (d *driver) DeleteEndpoint(r *network.DeleteEndpointRequest) error {
	defer answer("DeleteEndpoint")
	if err := fault("DeleteEndpoint"); err != nil {
		return err
	}
	return ip("link", "del", outer(r.EndpointID))
}

func (d *driver) EndpointInfo(*network.InfoRequest) (*network.InfoResponse, error) {
	return &network.InfoResponse{}, fault("EndpointOperInfo")
}

func (d *driver) Join(r *network.JoinRequest) (*network.JoinResponse, error) {
	defer answer("Join")
	if err := fault("Join"); err != nil {
		return nil, err
	}
	d.Lock()
	defer d.Unlock()
	name := inner(r.EndpointID)
	if said("JoinElsewhere") {
		name = "elsewhere0"
	}
	answer := &network.JoinResponse{InterfaceName: network.InterfaceName{SrcName: name, DstPrefix: "eth"}}
	if said("JoinInside") {
		// Puts the interface into the sandbox itself, under a name of its own.
		if err := ip("link", "set", name, "name", "placed0", "netns", filepath.Base(r.SandboxKey)); err != nil {
			return nil, err
		}
		answer = &network.JoinResponse{}
	}
	if said("JoinNothing") {
		answer = &network.JoinResponse{}
	}
	for _, gateway := range strings.Fields(d.gateways[r.NetworkID]) {
		if strings.Contains(gateway, ":") {
			answer.GatewayIPv6 = gateway
		} else {
			answer.Gateway = gateway
		}
	}
	return answer, nil
}

func (d *driver) Leave(*network.LeaveRequest) error {
	defer answer("Leave")
	return fault("Leave")
}

func (d *driver) DiscoverNew(*network.DiscoveryNotification) error    { return nil }
func (d *driver) DiscoverDelete(*network.DiscoveryNotification) error { return nil }
func (d *driver) ProgramExternalConnectivity(*network.ProgramExternalConnectivityRequest) error {
	return fault("ProgramExternalConnectivity")
}
func (d *driver) RevokeExternalConnectivity(*network.RevokeExternalConnectivityRequest) error {
	return fault("RevokeExternalConnectivity")
}

type pool struct {
	subnet *net.IPNet
	taken  map[string]bool
}

type addresses struct {
	sync.Mutex
	pools map[string]*pool
}

func (a *addresses) GetCapabilities() (*ipam.CapabilitiesResponse, error) {
	return &ipam.CapabilitiesResponse{}, nil
}

func (a *addresses) GetDefaultAddressSpaces() (*ipam.AddressSpacesResponse, error) {
	return &ipam.AddressSpacesResponse{LocalDefaultAddressSpace: "local", GlobalDefaultAddressSpace: "global"}, nil
}

func (a *addresses) RequestPool(r *ipam.RequestPoolRequest) (*ipam.RequestPoolResponse, error) {
	defer answer("RequestPool")
	if err := fault("RequestPool"); err != nil && !strings.HasPrefix(err.Error(), "always ") {
		return nil, err
	} else if err != nil {
		subnet := strings.TrimPrefix(err.Error(), "always ")
		return &ipam.RequestPoolResponse{PoolID: "always", Pool: subnet}, nil
	}
	a.Lock()
	defer a.Unlock()
	text := r.Pool
	for i := 1; text == ""; i++ {
		candidate := fmt.Sprintf("10.77.%d.0/24", i)
		if r.V6 {
			candidate = fmt.Sprintf("fd00:77:%d::/64", i)
		}
		if a.pools[candidate] == nil {
			text = candidate
		}
	}
	_, subnet, err := net.ParseCIDR(text)
	if err != nil {
		return nil, err
	}
	if a.pools[text] != nil {
		return nil, fmt.Errorf("pool %s is already in use", text)
	}
	a.pools[text] = &pool{subnet: subnet, taken: map[string]bool{}}
	return &ipam.RequestPoolResponse{PoolID: text, Pool: text}, nil
}

func (a *addresses) ReleasePool(r *ipam.ReleasePoolRequest) error {
	defer answer("ReleasePool")
	if err := fault("ReleasePool"); err != nil {
		return err
	}
	a.Lock()
	defer a.Unlock()
	if a.pools[r.PoolID] == nil {
		return fmt.Errorf("unknown pool %s", r.PoolID)
	}
	if left := len(a.pools[r.PoolID].taken); left > 0 {
		log(fmt.Sprintf("ReleasePool with %d addresses", left))
	}
	delete(a.pools, r.PoolID)
	return nil
}

func (a *addresses) RequestAddress(r *ipam.RequestAddressRequest) (*ipam.RequestAddressResponse, error) {
	defer answer("RequestAddress")
	if err := fault("RequestAddress"); err != nil {
		return nil, err
	}
	a.Lock()
	defer a.Unlock()
	found := a.pools[r.PoolID]
	if found == nil {
		return nil, fmt.Errorf("unknown pool %s", r.PoolID)
	}
	size, _ := found.subnet.Mask.Size()
	for i := 1; i < 255; i++ {
		address := append(net.IP{}, found.subnet.IP...)
		address[len(address)-1] = byte(i)
		text := address.String()
		if r.Address != "" && r.Address != text {
			continue
		}
		if found.taken[text] {
			if r.Address != "" {
				return nil, fmt.Errorf("address %s is already in use", text)
			}
			continue
		}
		found.taken[text] = true
		return &ipam.RequestAddressResponse{Address: fmt.Sprintf("%s/%d", text, size)}, nil
	}
	return nil, errors.New("no address is left")
}

func (a *addresses) ReleaseAddress(r *ipam.ReleaseAddressRequest) error {
	defer answer("ReleaseAddress")
	if err := fault("ReleaseAddress"); err != nil {
		return err
	}
	a.Lock()
	defer a.Unlock()
	found := a.pools[r.PoolID]
	if found == nil || !found.taken[r.Address] {
		return fmt.Errorf("address %s is not allocated", r.Address)
	}
	delete(found.taken, r.Address)
	return nil
}

func main() {
	name := os.Args[1]
	pools := &addresses{pools: map[string]*pool{}}
	go func() {
		fmt.Println(ipam.NewHandler(pools).ServeUnix(name+"ipam", 0))
		os.Exit(1)
	}()
	fmt.Println(network.NewHandler(&driver{gateways: map[string]string{}}).ServeUnix(name, 0))
	os.Exit(1)
}
