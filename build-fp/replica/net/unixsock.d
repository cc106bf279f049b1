build-fp/replica/net/unixsock.o: replica/net/unixsock.c \
 replica/net/unixsock.h
replica/net/unixsock.h:
