build-fp/replica/lib/resolve.o: replica/lib/resolve.c \
 replica/lib/resolve.h replica/lib/address.h
replica/lib/resolve.h:
replica/lib/address.h:
