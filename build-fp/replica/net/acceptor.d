build-fp/replica/net/acceptor.o: replica/net/acceptor.c \
 replica/net/acceptor.h replica/lib/address.h
replica/net/acceptor.h:
replica/lib/address.h:
