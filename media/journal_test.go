package media

func child(string)     {}
func costChild(string) {}
