// A client that offers one key exchange alone and tells which one was used.
//
//	go run main.go ADDRESS SERVER_NAME [CERTIFICATE KEY]
package main

import (
	"crypto/tls"
	"fmt"
	"os"
)

func main() {
	config := &tls.Config{
		ServerName:         os.Args[2],
		InsecureSkipVerify: true,
		CurvePreferences:   []tls.CurveID{tls.X25519MLKEM768},
	}
	if len(os.Args) > 4 {
		pair, err := tls.LoadX509KeyPair(os.Args[3], os.Args[4])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	connection, err := tls.Dial("tcp", os.Args[1], config)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer connection.Close()
	fmt.Println(tls.VersionName(connection.ConnectionState().Version), connection.ConnectionState().CurveID)
	fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: "+os.Args[2]+"\r\n\r\n")
	answer := make([]byte, 4)
	n, err := connection.Read(answer)
	fmt.Println(string(answer[:n]), err)
}
